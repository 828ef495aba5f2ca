//go:build linux

package bystander

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

// repetitions returns how often each program runs beside each recorder. make soak sets it.
func repetitions(t *testing.T) int {
	t.Helper()
	text := os.Getenv("UTRACE_BYSTANDERS")
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("UTRACE_BYSTANDERS=%s: want a number of repetitions", text)
	}
	return n
}

// recorder is a kind of recording.
type recorder struct {
	name string
	args []string
	// everywhere names the files in which all processes have its probes, "" if only recorded ones
	// do.
	everywhere string
}

// recorders returns recordings of every kind. target is a
// program that runs until a file named end exists, pid a process of it.
func recorders(t *testing.T, target, end string, pid int, built map[string]string) []recorder {
	t.Helper()
	process := strconv.Itoa(pid)
	var work []string
	for _, name := range sources {
		work = append(work, "-e", built[name]+":work")
	}
	list := []recorder{
		{"process", []string{"-p", process, "-e", "c:*", "-e", "*"}, ""},
		{"process and children", []string{"-p", process, "--follow", "-e", "c:*", "-e", "*"}, ""},
		{"machine, preset", []string{"--preset", "dns"}, "libc"},
		{"machine, library", []string{"-e", "c:printf"}, "libc"},
		{"machine, file", work, "programs"},
		{"survey of a process and children", []string{"-p", process, "--follow", "--max-overhead", "5%", "-e", "c:*", "-e", "*"}, ""},
		{"survey of the machine", []string{"--max-overhead", "5%", "-e", "c:str*", "-e", "c:mem*", "-e", "c:f*"}, "libc"},
	}
	if node := pathOf("node"); node != "" {
		list = append(list, recorder{"machine, node", []string{"-e", node + ":uv_*"}, "node"})
	}
	if help, _, _ := harness.Utrace(t, "record", "--help"); strings.Contains(help, "--name ") {
		list = append(list, recorder{"name", []string{"--name", filepath.Base(target), "-e", "c:*", "-e", "*"}, ""})
	}
	return append(list, recorder{"command", []string{"-e", "c:*", "-e", "*", "--", target, end}, ""}) // the last: it ends all processes of the target
}

// TestBystanders: programs beside a recording do what they do alone. Beside a recording of all
// processes, some show its breakpoints: see program.shows.
func TestBystanders(t *testing.T) {
	harness.NeedKernel(t)
	target := harness.Program(t, "recorded", `#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((noinline)) int work(int n) { return n + 1; }
int main(int argc, char **argv) { // until a file of that name exists
	FILE *out = fopen("/dev/null", "w");
	for (int n = 0; access(argv[1], F_OK); n = work(n)) { fprintf(out, "%d\n", n); free(malloc(100)); usleep(5000); }
}`)
	end := filepath.Join(t.TempDir(), "end")
	running, _ := harness.Start(t, target, end)
	list, times := programs(t), repetitions(t)
	for _, p := range list {
		if p.missing != "" {
			t.Logf("%s is skipped: %s", p.name, p.missing)
		}
	}
	built := map[string]string{}
	for i, name := range sources { // the first programs
		built[name] = list[i].command[0]
	}
	for _, r := range recorders(t, target, end, running.Process.Pid, built) {
		t.Run(r.name, func(t *testing.T) {
			rec := harness.StartRecorder(t, r.args...)
			rec.Await(t)
			for _, p := range list {
				if p.missing == "" && !slices.Contains(p.shows, r.everywhere) {
					t.Run(p.name, func(t *testing.T) { runBeside(t, p, times) })
				}
			}
			if r.name != "command" {
				rec.Stop(t)
				return
			}
			if err := os.WriteFile(end, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			rec.Wait(t)
		})
	}
}

// runBeside runs a program again and again, until it behaves differently.
func runBeside(t *testing.T, p *program, times int) {
	if p.slow {
		harness.Long(t)
	}
	for i := range times {
		if got := p.run(); got != p.want {
			t.Fatalf("run %d of %d of %q:\n%s", i+1, times, p.command, difference(p.want, got))
		}
	}
}

// difference shows the lines that two results do not share, as diff does.
func difference(want, got result) string {
	var text strings.Builder
	for _, part := range []struct{ name, want, got string }{
		{"standard output", want.stdout, got.stdout}, {"standard error", want.stderr, got.stderr}, {"end", want.status, got.status},
	} {
		if part.want == part.got {
			continue
		}
		fmt.Fprintf(&text, "%s:\n", part.name)
		w, g := harness.Lines(part.want), harness.Lines(part.got)
		for i := range max(len(w), len(g)) {
			if i < len(w) && i < len(g) && w[i] == g[i] {
				continue
			}
			if i < len(w) {
				fmt.Fprintf(&text, "-%s\n", w[i])
			}
			if i < len(g) {
				fmt.Fprintf(&text, "+%s\n", g[i])
			}
		}
	}
	return text.String()
}
