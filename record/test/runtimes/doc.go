// Package runtimes tests recordings of languages and servers, with Debian's builds of them: the
// presets for Python, Ruby, PHP, Java and PostgreSQL, their choice without being asked (auto), and
// goroutines. Run it after a change to presets, runtimes, goroutines, names of functions from
// arguments, or the protection of programs that a probe would break in record, to tracks and names
// in bpf, or to groups of calls in analyze. Package cost has the overhead limit of an interpreter.
package runtimes
