// Package why explains why some calls of a function are slow. Explain compares the slow calls with
// the typical ones (P25 to P75):
//
//  1. analyze.CompareCalls reads the traces twice. The first pass finds the limits of both classes,
//     the second sums up what happened in the calls of each.
//  2. paths finds where the additional time is.
//  3. candidates finds what distinguishes the slow calls.
//
// ExplainChange does the first two steps for the calls of old and new traces.
//
// # Method
//
// The difference of the means of both groups is divided twice.
//
// By place: the self times on all paths below a call, its own included, add up to its duration. So
// the differences of their means add up to the difference. With the scheduler recorded, each part is
// divided into states. A part is n*m, calls on the path for each call of the function times their
// mean. Its change is (n1-n2)*(m1+m2)/2 for more calls, and (m1-m2)*(n1+n2)/2 for longer ones. A
// path that one group lacks is more calls. Where is the innermost path with 70% of what its caller
// has, callees included, but not inside a path with more calls. If several paths share
// that, it is a function that has 70% on all paths together.
//
// By cause: package contrast has the statistics. Candidates are tested one by one, largest share
// first. One that has no share in the calls that are left by those before it repeats them.
// The odds of slow calls to have a cause must be three times those of typical calls. Smaller
// differences are often real, but come with something else: calls that run at the same time share the
// caches. For a processor, the odds must be ten times as good: of two processors, one usually has more
// interrupts, and so more slow calls.
//
// Time in which a slow call waited for a processor belongs to no candidate: other programs cause it.
//
// VProfiler (Huang, Mozafari, Wenisch: Statistical analysis of latency through semantic profiling,
// EuroSys 2017) decomposes the variance of a request along its call tree: Var(sum of X) is the sum
// of all Var(Xi) and 2 Cov(Xi,Xk). The difference of means between two groups was chosen instead.
// It needs no covariances, since means add up. It has the unit of time, and says what a slow call
// would gain. Variance counts a fast call like a slow one. The share of a path in the difference
// corresponds to its covariance with the whole, Cov(Xi, sum of X)/Var(sum of X), for groups at both
// ends of the distribution.
//
// What is not a plain call on one thread:
//
//   - Recursion: only calls that are outermost of their function are compared. Inner ones are paths.
//   - Concurrency: paths are of one thread. Of other threads, Explain knows who woke this one, and
//     which long calls of other functions went on meanwhile (periods), except compared calls and
//     their callers.
//   - Censoring: cut, open, unwound and uncertain calls have no duration. They are counted, and
//     compared with nothing. The percentiles include those that are cut. A cut call is known to be
//     slow if it took that long already. Without it, the mean of the slow group is a lower bound.
//   - Surveys: only fair calls count, each as one: weights would differ by window, but hardly between
//     the groups. Paths are of calls in whole windows.
package why
