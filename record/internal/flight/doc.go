// Package flight keeps the latest events of a recording in memory, waits for a moment that its rules
// describe, and writes a trace of the time around it.
//
//  1. A Memory takes definitions and events as a format.Writer does. It encodes events into
//     segments: small traces in files in memory (memfd_create), a sixteenth of the time to keep each.
//     Segments that are too old, or that exceed the memory, are dropped.
//  2. It pairs the returns of the functions in its rules with their entries (package calls), and
//     notes the first moment that meets a rule.
//  3. When the time after the moment is over, NewTrace takes the segments and the definitions that
//     they need. The trace is written in another goroutine, while recording goes on.
//
// Memory is bounded, for days: a thread is forgotten once no segment has rows of it, and so is its
// process (Sweep). Losses, windows, calibrations and counters of surveys belong to the segment in
// which they arrived. Functions, and functions left out, are as many as the recording can have.
//
// Note: segments are encoded like traces, at about 2 bytes an event. Events as the kernel writes
// them would need no encoding, but 48 bytes. Segments are not in Go's heap, because the collector
// lets a heap grow to twice what is in use before it collects.
//
// Note: writing a trace decodes the events and encodes them again. Threads get new numbers, and
// times count from the beginning of the trace. To copy the batches would need the state of each
// thread's clock at the first one.
//
// A call that has not returned is noticed when its beginning is about to leave memory. If an event
// was lost since it began, its return may be among the lost, and it is not reported.
package flight
