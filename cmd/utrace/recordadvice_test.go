//go:build linux

package main

import (
	"errors"
	"fmt"
	"strings"
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
		{plan.ErrNotYet, "add --wait if a program or library that appears later has it"},
		{errors.Join(plan.ErrNotYet, plan.ErrNoUSDT), "add --wait if a program or library that appears later has it; " + listAdvice},
		{plan.ErrNoUSDT, listAdvice},
		{plan.ErrNoProgram, "choose one with -p PID or a COMMAND"},
		{errors.New("another"), ""},
	} {
		if got := recordAdvice(fmt.Errorf("plan: %w", c.err)); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}

// TestNotYet: what nothing has is an error at the start, before the command runs.
func TestNotYet(t *testing.T) {
	for _, c := range []struct{ flag, name, want string }{
		{"--preset", "python", "neither pie.elf (the command) nor a library that it uses has any of its probes"},
		{"-e", "nosuchlibrary:f", `no library "nosuchlibrary" is mapped`},
		{"-e", "usdt:no_such:probe", "no such static probe"},
		{"-e", "mian", "(did you mean main?)"},
	} {
		for _, command := range []string{"record", "plan"} {
			stdout, stderr, status := inProcess(t, command, c.flag, c.name, "--", "../../testdata/elf/pie.elf")
			if status != 1 || stdout != "" || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, ": add --wait if a program") {
				t.Errorf("%s %s %s: status %d\n%s%s", command, c.flag, c.name, status, stdout, stderr)
			}
		}
	}

	stdout, stderr, status := inProcess(t, "plan", "--wait", "-e", "mian", "--", "../../testdata/elf/pie.elf")
	if status != 0 || !strings.Contains(stdout, "# looked for in programs and libraries that appear later: ") {
		t.Errorf("plan --wait: status %d\n%s%s", status, stdout, stderr)
	}
}
