// Package analyze turns traces into reports, call flows, call trees and
// profiles.
//
//  1. source reads batches in the order of the file. Several goroutines decode
//     them; definitions are applied, and events are checked against them, in
//     order again.
//  2. Each batch is sorted by thread. shard hands every thread's rows to one of a
//     few goroutines, always the same one.
//  3. pairer keeps a stack of open calls per thread and pairs returns with
//     entries. It tells a view of each call that begins and ends.
//  4. The views sum up: latency per function, callPaths per path of calls, both
//     one per goroutine. Flow has a single one, and merges the threads by time
//     ahead of it.
//  5. The parts are merged, those of several traces too, and sorted by what they
//     show, so that the same traces give the same output on every machine.
//
// In a trace with stacks, call paths also have the functions that were not traced and have led to a call (callPaths.callers): the whole
// stack of an entry around an outermost call, and within another traced call what is between that and the entry. A stack is
// taken by its number while events are read, and looked up when all definitions have been.
//
// Memory grows with threads, the depth of their stacks, functions and call
// paths, never with events. Each view is a pass of its own over the trace:
// decoding is cheap next to keeping what another pass would need.
//
// Only complete calls have durations. A call whose return was not seen is
// counted, and the time of complete calls inside it still is not its caller's
// own.
//
// Traces come from anywhere. All text in them is made printable when it is read;
// what a trace may define, nest or branch has limits, which are warned of when
// they are reached. A trace that is damaged ends at the damage, with a warning.
//
// Note: the report takes 37 to 43 ns of processor time per event on one core of an
// AMD EPYC virtual machine (BenchmarkReport: 300 functions, 2.8 bytes an event):
// a third is zstd, a sixth the cache misses of the histograms. Counting in 32 bits
// instead of 64 made no difference.
package analyze
