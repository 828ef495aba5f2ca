// Package runtimes tests recordings of languages and servers, with Debian's builds of them: the
// presets for Python, Ruby, PHP, Java and PostgreSQL, their choice without being asked, and
// goroutines. Package cost has the overhead limit of an interpreter.
//
// Run it after a change to presets and names in record/internal/probe, to choices, presets'
// problems or goroutines in record/plan, to process-by-process attachment in record, to tracks and
// names in bpf, or to groups of calls in analyze.
package runtimes
