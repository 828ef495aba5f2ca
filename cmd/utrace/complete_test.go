//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestCompleteValues: shells complete values of flags: words, presets, and what runs.
func TestCompleteValues(t *testing.T) {
	parent := fmt.Sprint(os.Getppid()) // the test itself is left out, as utrace is
	waits := exec.Command(utracePath, "doctor", "--calibrate")
	stdin, err := waits.StdinPipe()
	if err == nil {
		err = waits.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer waits.Wait()
	defer stdin.Close()
	for _, c := range []struct {
		args []string
		want string // a line begins so
	}{
		{[]string{"record", "--preset", "pos"}, "postgres\t"},
		{[]string{"record", "--preset="}, "python\t"},
		{[]string{"record", "--attach", ""}, "multi"},
		{[]string{"record", "-p", parent}, parent},
		{[]string{"list", "-p", parent}, parent},
		{[]string{"plan", "-p", fmt.Sprint(os.Getpid()), "-e", "utrace/cmd/utrace.TestComp"}, "utrace/cmd/utrace.TestCompleteValues"},
		{[]string{"plan", "--exe", utracePath, "-e", "main.newRec"}, "main.newRecordCommand"},
		{[]string{"record", "--name", "utrace", "--exe", utracePath, "--until", "main.newRec"}, "main.newRecordCommand"},
		{[]string{"export", "--partition", "host,"}, "host,date"},
		{[]string{"top", "--preset", "pos"}, "postgres\t"},
		{[]string{"top", "--sort", "na"}, "name"},
		{[]string{"analyze", "--sort", "p9"}, "p99"},
		{[]string{"analyze", "--by", "co"}, "container"},
		{[]string{"view", "--sort", "se"}, "self"},
		{[]string{"analyze", ""}, "arrow"}, // the ending of traces
		{[]string{"diff", ""}, "arrow"},
	} {
		out, _, _ := inProcess(t, append([]string{cobra.ShellCompRequestCmd}, c.args...)...)
		if !slices.ContainsFunc(strings.Split(out, "\n"), func(line string) bool { return strings.HasPrefix(line, c.want) }) {
			t.Errorf("%q: no line %q in %.500q", c.args, c.want, out)
		}
	}
}
