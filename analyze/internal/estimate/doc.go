// Package estimate has the statistics of a sample of calls.
//
// # Sums
//
// A sample has windows, each with its size x and a sum y: a number of calls, or a time. A window
// stands for a part of the recording: its own, and half of the way to the windows before and after
// it. So the sum over the recording is that of y span/x. A ratio of all y to all x would be wrong
// for programs with phases: functions are probed longer when they are called less.
//
// The variance has two factors. If calls came independently of each other (Poisson), it would follow
// from their number; the scatter of n calls is then taken as the root of n+1, since the root of n is
// too small for less than ten calls. Calls come in bursts and phases, so neighbouring windows differ
// more than that, by a factor which is measured (successive differences). Few windows can be alike
// by chance: the factor is taken together with an assumed one of 2, which weighs like three pairs of
// windows. The 95% interval is that of Student's t with as many degrees of freedom as pairs.
//
// # Durations
//
// A call that is cut off by the end of its window is known to last longer. Leaving such calls out
// hides the long ones. Curve is the estimator of Kaplan and Meier (1958): it counts a call among
// those that may end for as long as it was seen. It assumes that the end of a window does not depend
// on how long the calls in it take. The recorder keeps to that by the times that it gives.
//
// Where the longest calls were all cut off, the curve does not come down to zero. A percentile above
// that is unknown: it is at least as long as the longest call seen. The mean then counts these calls
// with the longest duration seen (restricted mean).
package estimate
