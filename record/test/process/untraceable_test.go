//go:build linux

package process

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

// leaky has five calls of work, prints a line, leaks memory if it has an argument, and then
// executes that program.
const leaky = `#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int work(int n) { return n * 2; }
int main(int argc, char **argv) {
	for (int i = 0; i < 5; i++) work(i);
	puts("done");
	fflush(stdout);
	if (argc == 1) return 3;
	void *volatile p = malloc(10);
	p = 0;
	return argv[1][0] ? system(argv[1]) >> 8 : 0;
}`

// TestUntraceable: programs that do not run under a debugger, or are debuggers themselves, print
// what they print alone, end with the same status, and are recorded.
func TestUntraceable(t *testing.T) {
	harness.NeedKernel(t)
	dir := t.TempDir()
	plain := harness.Program(t, "plain", leaky)
	looking := harness.Program(t, "looking", `#include <stdio.h>
#include <string.h>
int work(int n) { return n * 2; }
int main(void) {
	char line[200];
	FILE *f = fopen("/proc/self/status", "r");
	for (int i = 0; i < 5; i++) work(i);
	while (fgets(line, sizeof line, f)) if (!strncmp(line, "TracerPid:", 10)) fputs(line, stdout);
	return 0;
}`)
	asking := harness.Program(t, "asking", `#include <sys/ptrace.h>
int work(int n) { return n * 2; }
int main(void) { for (int i = 0; i < 5; i++) work(i); return ptrace(PTRACE_TRACEME, 0, 0, 0) == 0 ? 0 : 9; }`)
	asan := harness.Program(t, "asan", leaky, "-fsanitize=address")
	static := harness.Program(t, "static", leaky, "-fsanitize=address", "-static-libasan")
	lsan := harness.Program(t, "lsan", leaky, "-fsanitize=leak")

	for _, c := range []struct {
		tools   string
		command []string
		calls   uint64 // of work
		late    string // in a warning
	}{
		{"", []string{asan}, 5, ""},
		{"", []string{asan, ""}, 5, ""},
		{"", []string{lsan, ""}, 5, ""},
		{"", []string{static, ""}, 5, ""},
		{"", []string{"sh", "-c", asan + "; " + lsan + " ''; " + static + "; " + plain}, 20, ""},
		{"", []string{asan, "sleep 0.3; " + asan}, 5, "asan has LeakSanitizer"}, // the second may be late
		{"", []string{looking}, 5, ""},
		{"", []string{"sh", "-c", looking}, 5, ""},
		{"", []string{asking}, 5, ""},
		{"", []string{"sh", "-c", asking}, 5, ""},
		{"strace", []string{"strace", "-f", "-o", dir + "/log", "sh", "-c", "sleep 0.3; " + plain}, 0, "strace traces processes"},
		{"strace", []string{"sh", "-c", "strace -o " + dir + "/log " + plain + "; " + plain}, 5, "strace traces processes"},
		{"strace", []string{"bash", "-c", "sleep 1 & strace -qqo " + dir + "/log -p $!; echo $?; wait; " + asan}, 0, "strace traces processes"},
		{"gdb", []string{"gdb", "-q", "-batch", "-ex", "break puts", "-ex", "run", "-ex", "kill", plain}, 0, "gdb traces processes"},
		{"gdb", []string{"bash", "-c", "sleep 1 & gdb -q -batch -p $! -ex 'print 6*7' | grep '= 42'; wait; " + asan}, 0, "gdb traces processes"},
	} {
		t.Run(filepath.Base(c.command[0])+strings.Join(c.command[1:], " "), func(t *testing.T) {
			if c.tools != "" {
				harness.NeedTool(t, c.tools)
			}
			alone := exec.Command(c.command[0], c.command[1:]...)
			var wantOut, wantErr bytes.Buffer
			alone.Stdout, alone.Stderr = &wantOut, &wantErr
			alone.Run()

			trace := filepath.Join(dir, "trace.arrow")
			args := append([]string{"record", "--max-overhead=none", "-o", trace, "-e", "work", "-e", "c:opendir", "--"}, c.command...)
			stdout, stderr, status := harness.Utrace(t, args...)
			if got, want := sameNumbers(stdout), sameNumbers(wantOut.String()); got != want || status != alone.ProcessState.ExitCode() {
				t.Errorf("status %d and output:\n%s\nwant %d and\n%s\n%s", status, got, alone.ProcessState.ExitCode(), want, stderr)
			}
			var own strings.Builder
			for line := range strings.Lines(stderr) {
				if !strings.HasPrefix(line, "utrace: ") {
					own.WriteString(line)
				}
			}
			if got, want := sameNumbers(own.String()), sameNumbers(wantErr.String()); got != want {
				t.Errorf("standard error:\n%s\nwant:\n%s", got, want)
			}
			if held := !strings.Contains(stderr, "could not hold"); held != (c.late == "") || !strings.Contains(stderr, c.late) {
				t.Errorf("warnings:\n%s\nwant %q", stderr, c.late)
			}
			harness.Validate(t, trace)
			if got := harness.Analyze(t, trace).Calls()["work"]; got < c.calls {
				t.Errorf("%d calls, want %d", got, c.calls)
			}
		})
	}
}

// sameNumbers replaces process IDs and addresses, which differ from run to run.
func sameNumbers(text string) string {
	return regexp.MustCompile(`0x[0-9a-f]+|[0-9]{3,}`).ReplaceAllString(text, "N")
}
