// Package render writes the results of packages analyze and compare as text, JSON and files for
// other programs.
//
//   - for a terminal: Report, Flow, FlowArrows, Tree, Hist, Heatmap, Slowest, Diff
//   - for programs: JSON, CSV, DiffJSON; package fleet has tables of calls
//   - for viewers: Folded, Flame, FlameDiff, HeatmapSVG, TraceEvent
//   - for package page: Facts, Sentences, Notes, WhyTables, JSONFunctions and others
//
// Report and Diff fit a terminal: they leave out columns by rank, and shorten names last. They say
// what is missing. On a pipe, which has no width, they write everything.
//
// Words puts options into the caller's words. File writes a file as a whole, or not at all.
package render
