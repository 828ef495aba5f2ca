//go:build linux

package bench

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"utrace/record/test/harness"
)

// BenchmarkSwitches measures what a switch between two threads costs them, in their processor time:
// not recorded, recorded without the scheduler, with it, and with it while only other threads are
// recorded. They take turns. Medians are reported, of times and of what they add within a turn.
func BenchmarkSwitches(b *testing.B) {
	harness.NeedKernel(b)
	bin := harness.Target(b, "switches.c", "-O1")
	trace := filepath.Join(b.TempDir(), "trace.arrow")
	record := func(fn string, flags ...string) func(pid int) func() {
		return func(pid int) func() {
			args := append([]string{"record", "--force", "-o", trace, "-e", fn, "-p", strconv.Itoa(pid)}, flags...)
			return background(b, harness.Binary(), args...)
		}
	}
	const turns = 7
	for b.Loop() {
		times, added := map[string][]float64{}, map[string][]float64{}
		for range turns {
			idle := timeSwitches(b, bin, "", nil)
			for name, attach := range map[string]func(int) func(){
				"without": record("begins"), "sched": record("begins", "--sched"), "others": record("never", "--sched"),
			} {
				fn := "begins"
				if name == "others" {
					fn = "never"
				}
				ns := timeSwitches(b, bin, fn, attach)
				times[name] = append(times[name], ns)
				added[name] = append(added[name], ns-idle)
			}
			times["idle"] = append(times["idle"], idle)
		}
		for name, list := range times {
			b.ReportMetric(median(list), name+"-ns/switch")
		}
		for name, list := range added {
			b.ReportMetric(median(list), name+"-added-ns")
		}
	}
	b.ReportMetric(0, "ns/op")
}

// timeSwitches is timeCalls for switches.c. attach may be nil.
func timeSwitches(b *testing.B, bin, fn string, attach func(pid int) (detach func())) float64 {
	b.Helper()
	cmd := exec.Command(bin, "0.5")
	return timeWaiting(b, cmd, func(pid int) func() {
		if attach == nil {
			return func() {}
		}
		detach := attach(pid)
		awaitBreakpoint(b, bin, fn, pid)
		return detach
	})
}
