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
// Memory grows with threads, the depth of their stacks, functions and call
// paths, never with events. Each view is a pass of its own over the trace:
// decoding is cheap next to keeping what another pass would need.
//
// Only complete calls have durations. A call whose return was not seen is
// counted, and the time of complete calls inside it still is not its caller's
// own.
//
// # What the probes took
//
// A traced program spends time in the probes, and all calls around a hit last longer by it. The recorder measures what hits
// cost, by the class of their sites (format.SiteCost), and the pairer subtracts it. Of each call:
//
//	own cost    what lies between the two times that are taken, of its own hits: all of the entry's that comes
//	            after its time was taken, and of the return's what comes before
//	inner cost  all that the hits inside took: both of each complete call, the entry of one whose return was not seen, a
//	            return whose entry was not seen, a passage through a point
//	duration    as measured, less own and inner cost, but not less than its complete callees
//
// Self time is the duration without the complete callees, and never negative. So on each thread the self times of all calls add up
// to the outermost complete calls as measured, less what was subtracted from them, to the nanosecond: what a short call has no
// room for is not subtracted from it, but from the calls around it, if they have room. FuzzPairing holds that against a
// model. --raw subtracts nothing.
//
// Costs come from the latest five calibrations that precede a batch, the lower quartile of these: the recorder makes five when it begins, and then one a
// second, so that a machine that becomes slower is followed. Inner cost has a share added for interrupts, which the same calibrations see: the
// more time a program spends in probes, the more of them fall into that. A call's own cost has not, since most calls meet none.
//
// What that is wrong by:
//
//   - Hits in a row, in a small program, cost less than hits between which a program uses the caches. And the processor does part of what follows
//     a short probe at the same time. Both are within 10% of the cost of a hit in what was measured, and a caller of many
//     functions is wrong by that part of all hits inside it.
//   - Interrupts are told from a small number of them; where other programs want the processor, what they cost is time that passes in the
//     call, and belongs there. In a virtual machine with two processors and twenty threads that wanted them, averages
//     were of no use, while medians held.
//   - Two return probes at one return (tail calls) cost less than two returns.
//   - Not known, and not subtracted: hits that were lost, hits that a condition has dropped, and classes of sites that are
//     not calibrated (static probes on an instruction that is not emulated). Text arguments are taken to be as long as
//     those of the calibration.
//
// A function is below what can be resolved (marked ~) if the median of its calls is less than a quarter of what was subtracted from
// one, or less than the part by which calibrations scatter. Above that the figures are good where the
// truth is at least the cost of a hit. BenchmarkCompensation, on a virtual machine where others kept both processors busy (us a call; functions
// that compute for 1 to 1000 us and call others that compute for 1 us; mean as the program's own clock has it, untraced; medians of 5 turns):
//
// TABLE
//
// # What was lost
//
// Where events were lost is known by CPU, between two moments, and a thread may have run on any CPU. A call that began before the end of
// such a time and ended after its beginning is uncertain: between its entry and the return that was taken for its own there may have been
// a return and an entry. Its duration is in total and self time, so that these still add up, and in no distribution; the report
// lists such calls by function and thread, and the times.
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
