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
// The measure of windows is the processor time of the processes with the module. A busy second has
// more calls than an idle one, so shares of processor time vary less than shares of time. If a trace
// lacks it, or if only some of its time is selected, the measure is time.
//
// Calls in windows without a measure are no part of the sample, if the function has other windows.
// That applies to windows with all functions: there the probes take most of the processor time. A
// program that is slowed down as much also works differently, such as handling several requests at
// once. Counts from such windows were four times too low.
//
// # Strata
//
// A stratum is a window, or a few neighbouring ones: a recording may have thousands of windows, and
// each row of a report needs its sums in each stratum. So there are at most NumStrata of them, in
// order of time. Neighbours see the same phase of a program: how they differ shows the variance of a
// figure (package estimate).
//
// # Whole windows
//
// In some windows, all functions of a module were probed. Only there are callers known: figures that
// need them count calls of these windows.
package windows
