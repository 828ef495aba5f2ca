// Package render writes the results of packages analyze and compare as text, JSON and files for
// other programs.
//
//   - for a terminal: Report, Flow, Tree, Hist, Heatmap, Slowest, Diff
//   - for programs: JSON, CSV, DiffJSON, ParquetWriter
//   - for viewers: Folded, Flame, HeatmapSVG, TraceEvent
//   - for package page: Facts, Sentences, Notes, WhyTables, JSONFunctions and others
//
// Words puts options into the caller's words. File writes a file as a whole, or not at all.
package render
