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
//   - What a function's first call in a process takes, where the kernel rewrites a nop of five bytes into a call (some 100 us, and ms where
//     threads wait for each other to do so), is in its time, and that of other threads that wait for it.
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
// the truth by the program's own clock without probes, one thread on a virtual machine with two processors that little else ran on, where interrupts
// took about 5 to 10% of the time:
//
//	            nop5                              emulated                          stepped
//	own calls    truth     raw    corr. ratio     truth     raw    corr. ratio     truth     raw    corr. ratio
//	   1    0      1.04    2.99     1.63 1.57        1.03    3.00     1.34 1.30        1.08   18.48     2.98 2.76~
//	   1    1      2.09    7.00     2.22 1.06~       2.25   11.48     2.29 1.02~       2.09   41.57     3.56 1.70~
//	   1   10     11.21   45.29    14.27 1.27       12.10   86.37    15.71 1.30~      11.21  254.19    20.52 1.83~
//	   1  100    101.97  421.55   119.65 1.17      102.96  834.97   122.33 1.19~     103.48 2376.32   179.67 1.74~
//	   3    0      3.13    4.84     3.47 1.11        3.08    4.79     3.14 1.02        3.17   19.54     3.88 1.22~
//	   3    1      4.14    9.26     4.43 1.07        4.18   13.10     3.83 0.92        4.17   43.36     4.62 1.11~
//	   3   10     13.13   47.07    14.12 1.08       13.31   89.16    15.67 1.18~      13.37  255.50    23.53 1.76~
//	   3  100    103.95  436.76   121.41 1.17      104.63  859.45   129.67 1.24~     104.16 2481.39   372.77 3.58~
//	  10    0     10.53   12.24    10.83 1.03       10.30   12.28    10.54 1.02       10.62   27.39    11.57 1.09
//	  10    1     11.48   16.96    12.02 1.05       10.95   20.85    11.04 1.01       11.64   50.75    12.16 1.04~
//	  10   10     20.57   54.51    19.35 0.94       19.68   96.05    16.30 0.83~      20.70  259.66    22.94 1.11~
//	  10  100    110.78  438.51   123.50 1.11      107.07  855.93   106.45 0.99~     111.13 2603.88   480.36 4.32~
//	 100    0    104.90  108.55   107.17 1.02      102.27  107.03   105.29 1.03      105.88  122.93   107.16 1.01
//	 100    1    105.64  113.20   107.98 1.02      102.05  116.38   106.02 1.04      107.03  145.88   107.55 1.00
//	 100   10    113.71  151.58   112.97 0.99      111.12  194.67   113.51 1.02      115.83  356.74   118.18 1.02
//	 100  100    204.24  525.91   187.96 0.92      198.47  961.78   156.94 0.79~     207.57 2475.01   253.63 1.22~
//	1000    0   1052.01 1059.20  1057.80 1.01     1017.81 1054.83  1053.15 1.03     1066.26 1085.18  1069.46 1.00
//	1000    1   1048.13 1035.17  1030.16 0.98     1004.69 1052.32  1042.40 1.04     1067.23 1100.84  1062.24 1.00
//	1000   10   1053.53 1067.96  1033.19 0.98     1007.06 1110.70  1026.63 1.02     1070.20 1316.33  1069.90 1.00
//	1000  100   1139.93 1449.78  1111.21 0.97     1094.60 1828.63  1035.39 0.95     1165.04 3445.09  1127.98 0.97
//
// So of the figures that are not marked, those with a truth of at least the cost of a hit (1.5, 5.4 and 19 us) are within 15%, but for
// callers of functions that are themselves shorter than a hit: 100 calls of 1 us at nop5 sites came out up to 17% too long, 10 of them 27%. The functions of
// 1 us without calls have the time of their first hits in the mean; their medians are right within 12%. Medians of callers of ten functions
// come out up to 40% too short where a call meets no interrupt, for the mean share of them is subtracted. With two threads,
// which compete with the recorder for the two processors, 25 of 42 means and 36 of 42 medians that are not marked are within 15%.
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
// between all old and all new runs, such as another hour, still counts as a change: record in turns. So do recordings of other
// lengths, of which there is a warning.
//
// What a figure may be wrong by all along shows in neither slices nor runs, and is noise beside theirs: a quarter of what was subtracted
// for probes, or what calibrations scatter by; of sums also the time of uncertain calls, and as many mean calls as entries were lost.
// That is what they are wrong by at worst, and counts as two standard errors of a difference. Where it is known of some of the traces only
// what probes took, nothing is subtracted from any. What is of other calls on the two sides is not compared: percentiles where not all calls
// were kept, the sums of a function that was taken off, and self times around such.
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
// measures both rates anew; on other recordings than those: no false alarm in 20, 20 and 19 of 20 found on a quiet machine, 18 of 20
// in a run that began at a load of 20. Both are from before it was noise what figures may be wrong by all along: of the stages, which take
// 7 us or more, that is 2% at most.
//
// # Calls as a table
//
// EachCall goes through a trace on one goroutine, thread by thread within a batch: that needs no memory beyond that of
// a report, but for the arguments of open calls, and gives the same order everywhere.
//
// Note: the report takes 37 to 43 ns of processor time per event on one core of an
// AMD EPYC virtual machine (BenchmarkReport: 300 functions, 2.8 bytes an event), 0 to 3 ns of them to subtract what probes took:
// a third is zstd, a sixth the cache misses of the histograms. Counting in 32 bits
// instead of 64 made no difference.
package analyze
