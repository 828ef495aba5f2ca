// Package causes tests that utrace analyze --why finds why calls are slow: programs with one planted
// cause each, and one without.
//
// Run it after a change to the explanation of slow calls in analyze/why, to waiting in analyze, or to the
// scheduler's records in bpf.
package causes
