//go:build linux

package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dustin/go-humanize"

	"utrace/record/test/harness"
)

// These tests probe more functions than most programs have. They limit memory and processor time,
// which other processes at the same time do not change much.

// usage runs utrace. It returns what utrace prints, its processor time, and its largest resident
// memory in bytes.
func usage(t *testing.T, args ...string) (text string, cpu time.Duration, maxBytes int64) {
	t.Helper()
	cmd := exec.Command(harness.Binary(), args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%.2000s", args, err, out)
	}
	return string(out), cpuTime(cmd), cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
}

func cpuTime(cmd *exec.Cmd) time.Duration {
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

const parts, functions = 360, 300 // make 100 MB

// buildLarge builds a program of 100 MB with debug information. It compiles a source once, and
// copies the object with another prefix for its names each time.
func buildLarge(t *testing.T) string {
	t.Helper()
	harness.NeedTool(t, "gcc")
	harness.NeedTool(t, "objcopy")
	dir := t.TempDir()
	var source strings.Builder
	for i := range functions {
		fmt.Fprintf(&source, `
struct s%[1]d { int a; long b; char *name; struct s%[1]d *next; double d[%[1]d %% 7 + 1]; enum { E%[1]d, F%[1]d = %[1]d } kind; };
static inline int twice%[1]d(int n) { int r = 2 * n; return r + %[1]d; }
__attribute__((noinline)) int f%[1]d(struct s%[1]d *p, int n, const char *text)
{
	int sum = n;
	for (int i = 0; i < n; i++) {
		long here = p->b + i;
		if (text[i %% 3] == 'x' && here > sum)
			sum += twice%[1]d(here);
		else {
			struct s%[1]d copy = *p;
			sum -= copy.a + (int)copy.d[0];
		}
	}
	return sum;
}
`, i)
	}
	os.WriteFile(dir+"/part.c", []byte(source.String()), 0o600)
	os.WriteFile(dir+"/main.c", []byte("int p1_f7(void *, int, char *), p99_f3(void *, int, char *);\nint main(void) { return p1_f7(0, 0, 0) + p99_f3(0, 0, 0); }\n"), 0o600)
	harness.Run(t, "gcc", "-g", "-O1", "-c", "-o", dir+"/part.o", dir+"/part.c")
	var wg sync.WaitGroup
	link := []string{"gcc", "-o", dir + "/large", dir + "/main.c"}
	for i := range parts {
		part := fmt.Sprintf("%s/part%d.o", dir, i)
		link = append(link, part)
		wg.Go(func() {
			if out, err := exec.Command("objcopy", fmt.Sprintf("--prefix-symbols=p%d_", i), dir+"/part.o", part).CombinedOutput(); err != nil {
				t.Errorf("objcopy: %v\n%s", err, out)
			}
		})
	}
	wg.Wait()
	harness.Run(t, link...)
	return dir + "/large"
}

// TestLargeProgram: plan and record take a few seconds and less than 1 GiB for a program of 100 MB.
func TestLargeProgram(t *testing.T) {
	harness.Long(t)
	bin := buildLarge(t)
	info, err := os.Stat(bin)
	if err != nil || info.Size() < 100e6 {
		t.Fatalf("%d bytes, %v", info.Size(), err)
	}
	within := func(limit time.Duration, what string, cpu time.Duration, maxBytes int64) {
		t.Helper()
		t.Logf("%s: %v, %d MiB", what, cpu, maxBytes>>20)
		if cpu > limit || maxBytes > 1<<30 {
			t.Errorf("%s takes %v and %d MiB", what, cpu, maxBytes>>20)
		}
	}
	text, cpu, maxBytes := usage(t, "plan", "-e", "*", bin)
	within(5*time.Second, "plan", cpu, maxBytes)
	if want := "# " + humanize.Comma(parts*functions+1) + " functions"; !strings.Contains(text, want) {
		t.Errorf("not %q", want)
	}
	text, cpu, maxBytes = usage(t, "plan", "-e", "twice9", "-e", "p5_f9", bin) // it is looked for in all of the DWARF
	within(5*time.Second, "plan of an inlined function", cpu, maxBytes)
	if !strings.Contains(text, "only inlined") {
		t.Errorf("not told: %s", text)
	}
	harness.NeedKernel(t)
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	_, cpu, maxBytes = usage(t, "record", "-e", "*", "-o", trace, bin)
	within(20*time.Second, "record", cpu, maxBytes)
	harness.WantCounts(t, "calls", harness.Analyze(t, trace).Calls(), map[string]uint64{"main": 1, "p1_f7": 1, "p99_f3": 1})
}

// TestFewFiles: where the limit of open files is too low, the error says which limit suffices.
func TestFewFiles(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "calls.c", "-O0")
	record := func(limit string) string {
		script := `ulimit -n "$0" && exec "$@"`
		text, _ := exec.Command("sh", "-c", script, limit, harness.Binary(), "record", "-o", filepath.Join(t.TempDir(), "trace.arrow"), "-e", "fib", bin, "2").CombinedOutput()
		return string(text)
	}
	text := record("32")
	var enough int
	if _, err := fmt.Sscanf(text, "utrace: the limit of open files is 32, and a recording needs %d:", &enough); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if text := record(fmt.Sprint(enough)); !strings.Contains(text, "utrace: recorded 268 events") || strings.Contains(text, "not measured") {
		t.Errorf("with %d files: %s", enough, text)
	}
}

// TestAttachPostgres: recording all functions of PostgreSQL takes at most 4 s of processor time.
func TestAttachPostgres(t *testing.T) {
	a := harness.AttachPostgres(t)
	t.Logf("%d functions: attached in %v, detached in %v, %v of processor time in all", a.Functions, a.Attach, a.Detach, a.CPU)
	if a.Functions < 9_000 || a.CPU > 4*time.Second {
		t.Errorf("%d functions took %v of processor time", a.Functions, a.CPU)
	}
}
