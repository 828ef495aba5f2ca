//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"utrace/bpf"
	"utrace/record"
	"utrace/record/plan"
)

func newDoctorCommand() *cobra.Command {
	var selfTest int
	var calibrate, holdLinks bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Show what this kernel, these privileges and this machine allow",
		Long: `Check what recording needs, one line each, and then record a process of utrace's own.

Results:
  ok     as it should be, or unimportant
  warn   recording works, with the restriction in the line
  FAIL   recording does not work; the line says what to do

The exit status is 0 if recording works, otherwise 1.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case selfTest > 0:
				return callSelfTested(selfTest)
			case calibrate:
				return record.ServeCalibration(cmd.InOrStdin(), cmd.OutOrStdout())
			case holdLinks:
				return record.ServeLinks(cmd.InOrStdin(), cmd.OutOrStdout())
			}
			if !diagnose(cmd.Context(), cmd.OutOrStdout()) {
				return exitError(1)
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&selfTest, "self-test", 0, "call the recorded function so many times")
	cmd.Flags().MarkHidden("self-test")
	cmd.Flags().BoolVar(&calibrate, "calibrate", false, "call the functions with which the recorder measures the probe cost")
	cmd.Flags().MarkHidden("calibrate")
	cmd.Flags().BoolVar(&holdLinks, "hold-links", false, "hold the probes of a recorder, and remove them when it has ended")
	cmd.Flags().MarkHidden("hold-links")
	return cmd
}

// diagnose prints a line for each finding, and reports whether recording works.
func diagnose(ctx context.Context, w io.Writer) bool {
	_, methodErr := bpf.Auto.Choose(true)
	works := true
	for _, f := range append(bpf.Findings(record.PerfRoom), recordingFinding(ctx, methodErr)) {
		text := f.Detail
		if f.Remedy != "" {
			text += ": " + f.Remedy
		}
		works = works && f.State != bpf.Fail
		fmt.Fprintf(w, "%-4s  %-19s  %s\n", stateName(f.State), f.Name, text)
	}
	return works
}

func stateName(s bpf.State) string {
	switch s {
	case bpf.Warn:
		return "warn"
	case bpf.Fail:
		return "FAIL"
	}
	return "ok"
}

// selfTestCalls is how often the self-test calls its function.
const selfTestCalls = 100

// recordingFinding records a process of this program that calls selfTested. Where no probe can be
// attached (methodErr), it does not try.
func recordingFinding(ctx context.Context, methodErr error) bpf.Finding {
	f := bpf.Finding{Name: "self-test"}
	if methodErr != nil {
		f.State, f.Detail = bpf.Warn, "not done"
		return f
	}
	exe, err := os.Executable()
	if err != nil {
		f.State, f.Detail = bpf.Warn, fmt.Sprintf("not possible: %v", err)
		return f
	}
	dir, err := os.MkdirTemp("", "utrace-doctor")
	if err != nil {
		f.State, f.Detail = bpf.Warn, fmt.Sprintf("not possible: %v", err)
		return f
	}
	defer os.RemoveAll(dir)
	sum, err := recordSelfTest(ctx, exe, filepath.Join(dir, "trace.arrow"))
	switch {
	case errors.Is(err, record.ErrProbe):
		f.State, f.Detail = bpf.Warn, "not possible: this utrace has no symbols"
	case err != nil:
		f.State, f.Detail = bpf.Fail, err.Error()
	case sum.Calls != selfTestCalls:
		f.State = bpf.Fail
		f.Detail = fmt.Sprintf("%d calls recorded of %d (%d lost)", sum.Calls, selfTestCalls, sum.LostEntries)
	default:
		f.Detail = fmt.Sprintf("%d calls made, %d recorded", selfTestCalls, sum.Calls)
	}
	return f
}

// recordSelfTest records exe, which is this program, to a file.
func recordSelfTest(ctx context.Context, exe, output string) (*record.Summary, error) {
	for _, name := range []string{"SUDO_UID", "SUDO_GID"} { // that user may not reach the program
		os.Unsetenv(name)
	}
	if ctx == nil {
		ctx = context.Background()
	}
	probes, err := record.ParseProbes("main.selfTested")
	if err != nil {
		return nil, err
	}
	return record.Run(ctx, record.Config{
		Config: plan.Config{
			Command: []string{exe, "doctor", "--self-test", strconv.Itoa(selfTestCalls)},
			Probes:  probes,
		},
		Output: output, RingBytes: 1 << 20,
	})
}

var selfTestCount int

// selfTested does not check its stack, so it may be probed like a function in C.
//
//go:noinline
//go:nosplit
func selfTested() { selfTestCount++ }

func callSelfTested(times int) error {
	for range times {
		selfTested()
	}
	if selfTestCount != times {
		return fmt.Errorf("%d calls made of %d", selfTestCount, times)
	}
	return nil
}
