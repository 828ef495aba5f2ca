//go:build linux

package process

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

const worker = `
#include <unistd.h>
__attribute__((noinline)) void work(void) { __asm__ volatile(""); }
int main(int argc, char **argv)
{
	if (argc > 1 && argv[1][0] == 'i')
		pause();
	for (int i = 0; i < 200; i++) {
		work();
		usleep(10000);
	}
	if (argc == 3 && fork() == 0)
		execl(argv[0], "renamed", "child", "--of", argv[2], (char *)0);
	if (argc == 3)
		pause();
}
`

// TestTraceSaysWhatItIsOf: a trace names its processes with their command lines and programs, those
// without events as well, the probes as typed, the limits, and the labels.
func TestTraceSaysWhatItIsOf(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Program(t, "worker", worker)
	busy, _ := harness.Start(t, bin, "busy", "two words")
	idle, _ := harness.Start(t, bin, "idle")
	flags := []string{"-e", "work if pid > 0", "--preset", "dns", "-d", "4s", "--max-size", "64MiB", "--max-overhead", "60%", "--follow",
		"--label", "version=1.4.2", "--label", "role=a b=c"}
	pids := []string{"-p", strconv.Itoa(busy.Process.Pid), "-p", strconv.Itoa(idle.Process.Pid)}
	r := harness.StartRecorder(t, append(flags, pids...)...)
	r.Wait(t)
	harness.Validate(t, r.Trace)

	type process struct {
		PID                int
		Name, Command, Exe string
		Called             bool
	}
	var report struct {
		Trace struct {
			Processes  []process
			Recordings []struct {
				Args, Probes, Presets []string
				PIDs                  []int
				Chosen, Follow        bool
				Recorder, Kernel      string
				Labels                map[string]string
				MaxDurationNs         int64   `json:"max_duration_ns"`
				MaxBytes              int64   `json:"max_bytes"`
				MaxOverheadPercent    float64 `json:"max_overhead_percent"`
			}
		}
	}
	harness.AnalyzeJSON(t, &report, r.Trace)
	list := report.Trace.Processes
	for _, want := range []process{
		{busy.Process.Pid, "worker", bin + " busy two words", bin, true},
		{idle.Process.Pid, "worker", bin + " idle", bin, false},
	} {
		if !slices.Contains(list, want) {
			t.Errorf("no process %+v in %+v", want, list)
		}
	}
	isChild := func(p process) bool {
		return p.Name == "worker" && p.Command == "renamed child --of two words" && p.Exe == bin && p.Called
	}
	child := slices.IndexFunc(list, isChild)
	if child < 0 {
		t.Fatalf("no child in %+v", list)
	}
	forked := process{list[child].PID, "worker", bin + " busy two words", bin, false} // there if it was sampled before its exec
	for _, p := range list {
		if p.PID == forked.PID && p != forked && !isChild(p) {
			t.Errorf("the child was %+v before its exec, want %+v", p, forked)
		}
	}
	if len(report.Trace.Recordings) != 1 {
		t.Fatalf("%d recordings", len(report.Trace.Recordings))
	}
	m := report.Trace.Recordings[0]
	if !slices.Equal(m.Probes, flags[1:2]) || !slices.Equal(m.Presets, []string{"dns"}) || m.Chosen || !m.Follow {
		t.Errorf("asked for %+v", m)
	}
	if m.MaxDurationNs != 4e9 || m.MaxBytes != 64<<20 || m.MaxOverheadPercent != 60 {
		t.Errorf("limits %+v", m)
	}
	if want := map[string]string{"version": "1.4.2", "role": "a b=c"}; !maps.Equal(m.Labels, want) {
		t.Errorf("labels %v, want %v", m.Labels, want)
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil || m.Kernel != strings.TrimSpace(string(kernel)) || m.Recorder == "" || len(m.Args) == 0 {
		t.Errorf("kernel %s, versions and command line %+v, %v", kernel, m, err)
	}

	header, _, _ := harness.Utrace(t, "analyze", r.Trace)
	for _, want := range []string{
		"# asked for work if pid > 0, preset dns\n",
		"worker: " + bin + " busy two words\n", "worker: " + bin + " idle (no events)\n",
	} {
		if !strings.Contains(header, want) {
			t.Errorf("no %q in the header:\n%s", want, header)
		}
	}
	diff, _, _ := harness.Utrace(t, "diff", r.Trace, r.Trace)
	if want := fmt.Sprintf("%s busy two words, and %d more, asked for work if pid > 0, preset dns\n", filepath.Base(bin), len(list)-1); !strings.Contains(diff, want) {
		t.Errorf("no %q in the header:\n%s", want, diff)
	}
}
