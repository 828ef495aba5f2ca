// Package bench has all end-to-end benchmarks, and no tests: what a probe costs by site, what a
// recording leaves of the throughput of servers, the size and speed of recording, attaching to
// large programs, and how exact corrected times and comparisons are. Run it (make bench, make
// bench-probes) on an idle machine after a change to bpf, to the drain or attachment in record, or
// to the correction of times in analyze.
package bench
