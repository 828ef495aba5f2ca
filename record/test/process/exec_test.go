//go:build linux

package process

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

const execs = `
#include <pthread.h>
#include <unistd.h>
__attribute__((noinline)) void step(void) { __asm__ volatile(""); }
__attribute__((noinline)) void waits(void) { pause(); __asm__ volatile(""); }
__attribute__((noinline)) void run(char *path) { execl(path, "other", "second", (char *)0); __asm__ volatile(""); }
static void *helper(void *p) { waits(); return p; }
int main(int argc, char **argv)
{
	pthread_t t;
	if (argc > 1) {
		step();
		return 0;
	}
	pthread_create(&t, 0, helper, 0);
	usleep(100000);
	run(argv[0]);
	return 1;
}
`

// TestExecInFlow: an exec ends the calls of the old program, in all threads, and every view of
// single calls marks it.
func TestExecInFlow(t *testing.T) {
	calls, trace, _ := harness.RecordFlow(t, []string{"-e", "*"}, harness.Program(t, "execs", execs))
	old, next, ok := strings.Cut(strings.Join(calls, "\n")+"\n", "} /* main: replaced by exec */\n")
	if !ok {
		t.Fatalf("main does not end:\n%s", strings.Join(calls, "\n"))
	}
	if want := "    /* linux:task-exec: execs */\n  } /* run: replaced by exec */\n"; !strings.HasSuffix(old, want) {
		t.Errorf("no mark of the exec before the end of its callers:\n%s", old)
	}
	if !strings.Contains(old, "  } /* waits: open at the end */\n} /* helper: open at the end */\n") {
		t.Errorf("the calls of the other thread do not end before the exec:\n%s", old)
	}
	harness.WantLines(t, harness.Lines(next), []string{"main() {", "  step();", "} /* main */"})

	for _, flag := range []string{"--flow=arrows", "--trace-event=-"} {
		out, stderr, status := harness.Utrace(t, "analyze", flag, trace)
		isMark := func(line string) bool { return strings.Contains(line, "linux:task-exec: execs") }
		if status != 0 || !slices.ContainsFunc(harness.Lines(out), isMark) {
			t.Errorf("%s: status %d, no mark in:\n%s%s", flag, status, out, stderr)
		}
	}
}

// TestExecutesUnfollowed: a process that is not followed executes another program, as start scripts
// do. Summary and analysis say that nothing of it is recorded.
func TestExecutesUnfollowed(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "ticks.c", "-O0")
	for _, follow := range []bool{false, true} {
		shell, _ := harness.Start(t, "/bin/sh", "-c", "sleep 2; exec "+bin+" 1000")
		args := []string{"-e", "c:getenv", "-e", "/bin/sh:*", "-d", "5s", "-p", strconv.Itoa(shell.Process.Pid)}
		if follow {
			args = append(args, "--follow")
		}
		rec := harness.StartRecorder(t, args...)
		stderr := rec.Wait(t)
		_, warnings, _ := harness.Utrace(t, "analyze", rec.Trace)
		const want = "has executed another program, whose functions are not probed"
		if strings.Contains(stderr, want) == follow || strings.Contains(warnings, want) == follow {
			t.Errorf("--follow %v: %s%s", follow, stderr, warnings)
		}
	}
}
