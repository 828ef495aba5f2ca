// Package compare finds what changed from some traces to others. Diff compares functions of two sides, one or several traces each. Changes are differences of logarithms.
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
// measures both rates anew; on other recordings than those: no false alarm in 20, and 20 of 20 found on a quiet machine, 18 of 20
// in a run that began at a load of 20 (that one from before it was noise what figures may be wrong by all along; of the stages, which
// take 7 us or more, that is 2% at most).
package compare
