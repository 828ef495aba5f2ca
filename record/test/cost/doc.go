// Package cost tests what a recording costs and how that is accounted for: calibration, the
// overhead limit and the probes that it removes, the time in which the recorder pre-empted a
// thread, the division of time by the scheduler (--sched), and samples of processor time.
//
// Run it after a change to calibration, costs or limits in record, to record/internal/calibrate and
// survey, to the scheduler's records in bpf, or to costs and waiting in analyze.
package cost
