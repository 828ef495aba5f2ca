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
// With Options.Min a flow holds steps back until it is known which calls are long enough, 65,536 at most. A heatmap does not
// know how long the trace is: it halves its resolution whenever it runs out of slices.
//
// Memory grows with threads, the depth of their stacks, functions (by value: up
// to a limit) and call paths, never with events. Each view is a pass of its own over the trace:
// decoding is cheap next to keeping what another pass would need.
//
// What events carry is looked at only where it is shown, decides whether a call
// has failed (errorCheck), or which group it belongs to (grouping). A report by
// value takes one goroutine, so that the values that are kept when there are too many are
// the same on every machine. The slowest calls take two passes: only when they are known
// is anything kept of what is below them.
//
// Only complete calls have durations. A call whose return was not seen is
// counted, and the time of complete calls inside it still is not its caller's
// own.
//
// Where the scheduler was recorded, a thread's time is accounted for from one of its rows to the next (sched.go): on a
// processor, runnable, blocked, or not known, as around lost switches. Each frame remembers the sums at its beginning, so that
// what a call waited is a difference, and recursion and self times work as for the time itself; what is left of the
// duration is the time on a processor. A sleep is blocked until the wakeup, and runnable from then on until the thread runs. Goroutines,
// and spans that may overlap, are not threads: nothing is known of them. Calls of one trace that has no scheduler, in a report with
// another that has, are not known, either.
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
