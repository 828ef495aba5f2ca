// Package compare finds what changed from some traces to others. Diff compares the functions of two
// sides, one or several traces each:
//
//  1. side reads the reports of a side, and how each function varies over slices of time.
//  2. match finds the functions that are on both sides.
//  3. noise estimates how much each metric of a function varies by chance.
//  4. judge decides for all functions together which changes are significant.
//  5. Threshold checks conditions on the changes.
//
// Changes are differences of logarithms.
//
// # Noise within a trace
//
// 64 slices of the time of a trace show how its figures vary. Means and sums are ratios of sums
// over slices, with the variance of such ratios (Cochran, Sampling Techniques, 6.4). Quantiles take
// the variance of the share of calls above them, and Woodruff's interval. A disturbance may outlast
// a slice. So the same is done with 2, 4 and 8 slices together, and the worst counts. A change is
// tested with Student's t, by Welch and Satterthwaite.
//
// # Noise between runs
//
// No single trace shows how two runs of one program differ. On a shared machine, that is most of
// the noise. With fewer than three traces on a side, it has three parts:
//
//  1. A shift of all functions, the median of their changes, counts as the machine's. A function
//     counts with the part of its time that its callees do not take. Otherwise one slower callee,
//     with all functions around it, would look like a slower machine.
//  2. The spread of the functions about the shift (their median absolute deviation) is noise of
//     each.
//  3. Runs are assumed to differ by 4% of a figure, and by 2% of the calls above P50. The 2% grow
//     when averages far exceed P50, as on a busy machine. That barely affects functions with
//     uniform calls, but strongly affects functions that wait. For means and sums, the shift adds
//     to the 4%: load affects functions unevenly. For P90 and P99 it is 20%, and twice the shift.
//
// With three traces or more on each side, the runs are the blocks, and nothing of this is assumed.
// Any difference between all old and all new runs still counts as a change, such as another hour:
// record in turns. So do recordings of different length; a warning says so.
//
// # Errors that neither show
//
// Some errors are the same in all slices and runs, so they are added to the noise:
//
//   - for the cost of probes, a quarter of what was subtracted, or the scatter of the calibrations;
//   - for sums, also the time of uncertain calls;
//   - for sums, also as many mean calls as entries were lost.
//
// These are the largest errors, and count as two standard errors of a difference. If the cost of
// probes is known for some of the traces only, it is subtracted from none.
//
// A figure of different calls on the two sides is not compared: percentiles, if not all calls were
// kept. Nor is a figure that is only a bound, since windows ended before long calls did, or since
// callees are unknown.
//
// # Surveys
//
// Calls, total and self time of a function that was probed in windows are estimates. Slices of time
// have as many calls as they have windows, so they say nothing about the noise. The standard error
// of the estimate takes its place. Means and quantiles are of the recorded calls, and take their
// noise from slices.
//
// # Significance
//
// The error probabilities of all functions and metrics add up to 5% at most (Bonferroni). P50,
// which noise moves least, has nine tenths of it. Changes below 5% are never significant, unless
// the caller asks for less.
//
// # Error rates
//
// The constants of part 3 were chosen on 180 recordings of 1.5 s of testdata/targets/stages.c. They
// were made one after the other, with other programs on the same two processors. In each of three
// sets, 20 pairs of runs were compared. The changes were of 20%, in functions that took a tenth to
// a half of the time:
//
//	load average   false alarms   changes found   false alarms, pairs up to two recordings apart
//	lower          0 of 20        20 of 20        8 of 154
//	8 to 10        0 of 20        17 of 20        4 of 154
//	above 15       0 of 20        17 of 20        4 of 154
//
// Recordings from different hours and loads may differ in truth. In up to a fifth of such pairs, a
// function that sleeps had another P50 or P90.
//
// Rejected: the mean instead of P50 as the main figure, since a neighbour moves it by half. Also
// rejected: tests without parts 2 and 3, which called 2 in 5 of all pairs different.
//
// BenchmarkDiff measures both rates anew, on other recordings. It gave no false alarm in 20. It
// found 20 of 20 changes on a quiet machine, and 18 of 20 in a run that began at a load of 20. That
// run was made before the errors that neither show were added; for the stages, of 7 us or more,
// these are at most 2%.
package compare
