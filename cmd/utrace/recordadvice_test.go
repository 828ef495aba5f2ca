//go:build linux

package main

import (
	"errors"
	"fmt"
	"testing"

	"utrace/bpf"
	"utrace/record/plan"
)

// TestRecordAdvice: errors of the libraries, which know no flags, come with the flags that help.
func TestRecordAdvice(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&bpf.UnsupportedError{Feature: bpf.UprobeMulti, Kernel: "5.15"}, "use --attach=perf"},
		{&bpf.UnsupportedError{Feature: bpf.ThreadFilter, Kernel: "6.6"}, "use --attach=perf"},
		{&bpf.UnsupportedError{Feature: bpf.Cookies, Kernel: "5.4"}, ""},
		{plan.ErrNoProgram, "choose one with -p PID or a COMMAND"},
		{errors.New("another"), ""},
	} {
		if got := recordAdvice(fmt.Errorf("plan: %w", c.err)); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}
