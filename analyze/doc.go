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
// In a trace with stacks, call paths also have the functions that were not traced and have led to a call (callPaths.callers): the whole
// stack of an entry around an outermost call, and within another traced call what is between that and the entry. A stack is
// taken by its number while events are read, and looked up when all definitions have been.
//
// With Options.Min a flow holds steps back until it is known which calls are long enough, 65,536 at most, with 256 MiB of values. A heatmap does not
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
// # What the probes took
//
// A traced program spends time in the probes, and all calls around a hit last longer by it. The recorder measures what hits
// cost, by the class of their sites (format.SiteCost), and the pairer subtracts it. Of each call:
//
//	own cost    what lies between the two times that are taken, of its own hits: all of the entry's that comes
//	            after its time was taken, and of the return's what comes before
//	inner cost  all that the hits inside took: both of each complete call, the entry of one whose return was not seen, a
//	            return whose entry was not seen, a passage through a point; and what the recorder took when it ran in the
//	            place of the thread: for as long as the trace says (format.Displaced), and beside that what the calibration
//	            says, for the interrupt before and two switches
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
//   - What a function's first call in a process takes, where the kernel rewrites a nop of five bytes into a call (40 to 120 us), is in its
//     time, and in that of other threads that wait for it.
//   - A thread that is woken up while the recorder runs on its processor waits: that is not known, and only a little of the time.
//     Nor is it known what the recorder takes where calls are followed to their return (--slower-than).
//   - Two return probes at one return (tail calls) cost less than two returns.
//   - Not known, and not subtracted: what it takes to fetch arguments and results of functions, beyond a plain hit; to walk the stack of callers
//     (--stack) and to follow calls (--slower-than); hits that were lost,
//     hits that a condition has dropped (the report says about what they took), and classes of sites that are
//     not calibrated (static probes on an instruction that is not emulated). Text arguments are taken to be as long as
//     those of the calibration.
//
// A function is below what can be resolved (marked ~) if the median of its calls is less than a quarter of what was subtracted from
// one, or less than the part by which calibrations scatter.
//
// BenchmarkCompensation has functions that compute for 1 to 1000 us (own), and call others that compute for 1 us. Means in us,
// the truth by the program's own clock without probes, on a virtual machine with two processors on which nothing else ran: with one
// thread, and as a ratio (two) with two threads, beside which there is no processor left for the recorder:
//
//	            nop5                                  emulated                              stepped
//	own calls   truth     raw    corr. ratio two     truth     raw    corr. ratio two     truth     raw    corr. ratio two
//	   1    0     1.01    1.57    1.02 1.01  1.03      1.01    1.68    1.03 1.02  0.96      1.00   11.02    1.32 1.31~ 1.92~
//	   1    1     2.02    3.88    2.02 1.00  1.02      2.02    4.17    1.83 0.90  1.05      2.02   22.77    3.17 1.57~ 1.14~
//	   1   10    11.00   24.86   10.63 0.97  1.03     11.01   26.78   10.45 0.95  1.02     11.07  123.47   10.79 0.97~ 1.71~
//	   1  100   101.14  232.46  103.91 1.03  1.06    101.39  253.34  104.66 1.03  1.06    101.63 1138.40  107.07 1.05~ 1.72~
//	   3    0     3.04    3.58    3.03 1.00  1.01      3.02    3.69    3.05 1.01  1.02      3.04   12.66    3.38 1.11  1.18
//	   3    1     4.03    5.93    4.04 1.00  1.04      4.04    6.17    3.74 0.93  1.01      4.03   23.38    3.86 0.96~ 1.24~
//	   3   10    13.06   26.70   12.47 0.96  1.01     13.00   29.73   12.08 0.93  0.97     13.17  142.47   28.96 2.20~ 1.44~
//	   3  100   102.86  236.97  104.62 1.02  1.07    102.93  254.07  102.47 1.00  1.03    104.13 1167.78  127.88 1.23~ 1.50~
//	  10    0    10.08   10.71   10.14 1.01  1.01     10.09   10.77   10.09 1.00  1.01     10.21   19.50   10.32 1.01  1.05
//	  10    1    11.12   13.03   11.08 1.00  1.04     11.09   13.30   10.98 0.99  0.99     11.14   30.39   10.62 0.95  1.03
//	  10   10    20.09   33.83   19.29 0.96  1.01     20.20   36.08   18.71 0.93  0.97     20.29  134.88   19.93 0.98~ 1.51~
//	  10  100   110.40  241.24  103.22 0.93  1.03    110.18  261.54  103.30 0.94  1.06    112.26 1191.36  132.75 1.18~ 1.58~
//	 100    0   100.94  101.95  101.41 1.00  1.01    100.80  102.25  101.57 1.01  0.98    101.93  110.96  101.78 1.00  1.03
//	 100    1   101.91  104.43  102.44 1.01  1.01    101.90  104.46  102.14 1.00  1.00    102.76  122.56  102.83 1.00  1.04
//	 100   10   110.98  125.24  110.74 1.00  1.03    111.16  126.67  109.20 0.98  1.01    111.67  228.99  116.60 1.04  1.11
//	 100  100   200.94  334.01  193.70 0.96  1.04    202.75  352.89  184.55 0.91  0.98    202.56 1253.43  205.42 1.01~ 1.47~
//	1000    0  1012.20 1013.71 1013.14 1.00  1.01   1010.06 1009.65 1009.00 1.00  1.01   1016.30 1021.78 1012.55 1.00  1.02
//	1000    1  1010.53 1017.69 1015.88 1.01  1.00   1020.76 1015.65 1013.53 0.99  1.00   1021.17 1034.10 1014.34 0.99  1.01
//	1000   10  1020.99 1042.73 1028.16 1.01  0.98   1018.73 1037.47 1022.01 1.00  1.00   1027.63 1145.64 1032.58 1.00  1.01
//	1000  100  1114.31 1246.14 1112.88 1.00  1.00   1109.63 1265.30 1101.54 0.99  1.00   1110.92 2176.55 1095.67 0.99  1.10
//
// A hit took 0.65, 0.75 and 5.2 us. All figures that are not marked are within 15% of the truth, but for 3 us at stepped sites with two
// threads, which is less than one hit; so are all their medians but one (0.81). Where the recorder's own time in the place of the threads was not
// subtracted, 28 of 50 were with two threads. On a machine with other work, less is: see above.
//
// # What was lost
//
// Where events were lost is known by CPU, between two moments, and a thread may have run on any CPU. A call that began before the end of
// such a time and ended after its beginning is uncertain: between its entry and the return that was taken for its own there may have been
// a return and an entry. Its duration is in total and self time, so that these still add up, and in no distribution; the report
// lists such calls by function and thread, and the times.
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
// # Calls as a table
//
// EachCall goes through a trace on one goroutine, thread by thread within a batch: that needs no memory beyond that of
// a report, but for the arguments of open calls, and gives the same order everywhere.
//
// Note: the report takes 52 to 57 ns of processor time per event on an AMD EPYC virtual machine with two processors, of which it uses
// both (BenchmarkReport: 300 functions, 3 bytes an event, 5 runs: 31 to 37 M events/s with 8 threads, 28 to 31 with one, in
// 34 MiB), and as much with --raw: what it takes to subtract is lost in the noise. A recording of 81 M calls and returns of a small
// program took 2.1 s. A third is zstd, mostly the noise of times. Durations go into the buckets of their histograms fourteen at a time, since
// each is a cache miss: before, the same machine took 63 to 67 ns with 8 threads. Counting in 32 bits instead of 64 made no difference.
package analyze
