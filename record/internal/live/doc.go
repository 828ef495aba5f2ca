// Package live passes the calls of a recording to an Observer while they happen. No trace is written.
//
// Note: counts could be kept in maps of the kernel, and no record be written. But a recording pairs
// calls in user space, where it knows of tail calls, unwound frames, goroutines and names of
// interpreters. A second way to count would have to agree with it. The price is that calls are
// missing when a ring is full, as in a trace: Observer.Lost says how many.
package live
