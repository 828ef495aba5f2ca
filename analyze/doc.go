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
//  4. The views sum up: latency per function, sliced per function and time, callPaths per path
//     of calls, all one per goroutine. Flow has a single one, and merges the threads by time
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
// # Comparison
//
// Diff compares functions of two sides, one or several traces each. Changes are differences of logarithms.
//
// What a figure of a trace varies by is seen in 64 slices of its time. Means and sums are ratios of sums over slices, with
// the variance of such ratios (Cochran, Sampling Techniques, 6.4); quantiles take the variance of the share of calls above
// them, and Woodruff's interval. A disturbance may outlast a slice, so the same is done with 2, 4 and 8
// slices together, and the worst counts. A change is tested with Student's t, by Welch and Satterthwaite.
//
// What two runs of one program differ by, no single trace shows, and on a shared machine that is most of the noise. With less than
// three traces of either side it is put together from three parts:
//
//  1. A shift of all functions, the median of their changes, counts as the machine's. A function counts with the
//     share of its time that is its own: one callee that is slower makes all around it slower, which is no
//     shift of the machine.
//  2. The spread of the functions about the shift (their median absolute deviation) is noise of each.
//  3. Runs are taken to differ by 4% anyway, and by 2% of the calls above P50: more where calls are much longer on average than
//     by P50, as on a busy machine. That tells nothing of a function whose calls are all alike, and much of one that
//     waits. For means and sums the shift adds to the 4%: load hits functions unevenly. For P90 and P99 it is
//     20%, and twice the shift.
//
// With three traces or more of either side the runs are the blocks, and nothing of this is assumed. What lies
// between all old and all new runs, such as another hour, still counts as a change: record in turns.
//
// The chances to err of all functions and metrics add up to 5% at most (Bonferroni); P50, which noise moves
// least, has nine tenths of them. Changes below 5% are never significant, unless asked for.
//
// Its error: the constants of 3 were chosen on 180 recordings of 1.5 s of testdata/targets/stages.c, one after the other, with
// other programs on the same two processors. A run compared with another, 20 pairs each: no false alarm and 20 of 20 changes
// of 20% found where they took a tenth to a half of the time, none and 17 of 20 at a load average of 8 to 10 and at one
// above 15. Of pairs up to two recordings apart, 8, 4 and 4 in 154 were false alarms. Recordings from
// different hours and loads may differ in truth: in up to a fifth of such pairs a function that sleeps had another P50 or P90.
// What was rejected: the mean instead of P50 as the main figure (a neighbour moves it by half), and tests
// without 2 and 3, which called 2 in 5 of all pairs different. BenchmarkDiff
// measures both rates anew; on other recordings than those, begun at a load of 20: no false alarm in 20, 18 of 20 found.
//
// # Calls as a table
//
// EachCall goes through a trace on one goroutine, thread by thread within a batch: that needs no memory beyond that of
// a report, but for the arguments of open calls, and gives the same order everywhere.
//
// Note: the report takes 37 to 43 ns of processor time per event on one core of an
// AMD EPYC virtual machine (BenchmarkReport: 300 functions, 2.8 bytes an event):
// a third is zstd, a sixth the cache misses of the histograms. Counting in 32 bits
// instead of 64 made no difference.
package analyze
