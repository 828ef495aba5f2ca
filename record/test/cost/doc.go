// Package cost tests what a recording costs and how that is accounted for: calibration, the
// overhead limit and the probes that it removes, the time in which the recorder pre-empted a
// thread, and the division of time by the scheduler (--sched).
//
// Run it after a change to calibration, costs or limits in record, to record/internal/calibrate, to
// the scheduler's records in bpf, or to costs and waiting in analyze.
package cost
