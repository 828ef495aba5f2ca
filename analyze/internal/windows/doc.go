// Package windows says when each function of a trace was probed, and for how many calls a recorded
// call stands. Both follow from the definitions of the trace: surveys, sets of probes and windows
// (see "Surveys" in package format).
//
// # Windows of a function
//
// A function may be in several sets. Its windows are those of all its sets, in order of time. A
// window that begins inside another is merged with it: calls up to the end of the first one's fair
// part are a sample, later ones are not. If a window begins where another ends, calls that are open
// go on, but the two remain separate samples.
//
// A function has no Windows if it was probed all the time: its module has no survey, or there is no
// break and less than 1% of the processor time before and after. A recording without a survey has
// such ends as well. A function without any window counts the same: the recorder was killed before
// it wrote the first one.
//
// # Measure
//
// The measure of windows is the work of the processes with the module. A busy second has more calls
// than an idle one, so shares of work vary less than shares of time. Work is either
//
//   - processor time, less the cost of the probes, which is an estimate. SizeErrors says how wrong
//     the rest may be;
//   - or how often the processes read and wrote, or sent and received. A server that is slowed down by
//     probes still does so as often per request. The recorder says which of the two varies less
//     (format.Survey.ByIO).
//
// If a trace lacks it, or if only some of its time is selected, the measure is time.
//
// Calls in windows with all functions are no part of the sample, if the function has other windows:
// there the probes take most of the processor time, so the measure is derived from the calls. A
// program that is slowed down as much also works differently, such as handling several requests at
// once. Counts from such windows were four times too low, and durations a hundred times too long.
// The same goes for rough windows without a measure: these have many functions, but not all.
//
// # Strata
//
// A stratum is a window, or a few neighbouring ones, in order of time. There are two reasons to
// share one: each row of a report needs its sums in each stratum, and a recording may have
// thousands of windows; and the calls of a small window over its size are a rough figure. So strata
// have about the same size, and there are at most NumStrata. If a window has few IO calls, strata have
// the same number of windows instead: see leastIO.
//
// Neighbours see the same phase of a program: how they differ shows the variance of a figure
// (package estimate).
//
// # Whole windows
//
// In some windows, all functions of a module were probed. Only there are callers known: figures
// that need them count calls of these windows.
package windows
