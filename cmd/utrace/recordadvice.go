//go:build linux

package main

import (
	"errors"

	"utrace/bpf"
	"utrace/record"
	"utrace/record/plan"
)

const listAdvice = "utrace list shows the static probes of a file, a process (-p PID) or all processes"

// recordAdvice says which flags help with an error of a recording or a plan, "" if none do.
func recordAdvice(err error) string {
	var missing *bpf.UnsupportedError
	switch {
	case errors.Is(err, plan.ErrNotYet):
		advice := "add --wait if a program or library that appears later has it"
		if errors.Is(err, plan.ErrNoUSDT) {
			advice += "; " + listAdvice
		}
		return advice
	case errors.Is(err, plan.ErrNobody):
		return "add --wait to wait for one"
	case errors.Is(err, plan.ErrLate):
		return "leave out --slower-than and conditions on ret or duration (utrace analyze --slowest and --min select long calls later), or else --sched and probes on instructions"
	case errors.Is(err, plan.ErrNoChoice):
		return "say what to record, with -p PID, a COMMAND, -e PROBE or --preset NAME (see utrace help presets)"
	case errors.Is(err, plan.ErrNoProgram):
		return "choose one with -p PID or a COMMAND"
	case errors.As(err, &missing) && (missing.Feature == bpf.UprobeMulti || missing.Feature == bpf.ThreadFilter):
		return "use --attach=perf"
	case errors.Is(err, plan.ErrNoUSDT):
		return listAdvice
	case errors.Is(err, record.ErrNotRegular):
		return "name another file with -o"
	case errors.Is(err, record.ErrNotTrace):
		return "name another file with -o, or replace it with --force"
	}
	return ""
}
