// Package contrast has the statistics of what distinguishes slow calls from typical ones.
//
// # Shares
//
// The difference is the mean duration of the slow calls less that of the typical ones. A slow call's
// extra is its part of the sum of these differences, never below zero. Each candidate for a cause
// has a share of the difference:
//
//	Levels     values of a call, such as an argument: the extra of the slow calls with a value, less
//	           the part of the typical calls that have it, summed up over the values for which this
//	           is positive. 1: only slow calls have these values.
//	Threshold  a number of a call: the same for all calls above, or below, the best threshold. It is
//	           the distance of Kolmogorov and Smirnov, weighted by extra.
//	Overlap    the time of a call in which something else happened. As much of it as its part of the
//	           typical calls' time is expected, so a call does not count for being long. The share is
//	           the rest of that time in slow calls, over the difference.
//	Trend      a slow change over the recording: the medians of blocks of calls, at the times of the
//	           slow calls, less those at the times of the typical calls, over the difference.
//
// # Chance
//
// With many values, or few slow calls, chance alone gives a share. Levels and Threshold subtract
// what random permutations of the calls give on average: share = (observed - chance)/(1 - chance).
//
// The same permutations give the probability of a share that large without a cause. All candidates of
// an analysis share an error probability of 5% (Bonferroni), including those that are too small to be
// listed.
//
// That is not enough, since neighbouring calls are alike: other work on the machine makes calls slow
// for a while, in which a thread happens to be on one processor. So a second test cuts the recording
// into eight pieces at random, and permutes these. At most 2% of them may reach the share. For a
// Trend, the blocks are permuted.
//
// The intervals are of bootstrap resamples of both groups of calls (Efron 1979), percentiles 2.5 and
// 97.5. The generator has a fixed seed: the same calls give the same result.
package contrast
