//go:build linux

package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"utrace/record/test/harness"
)

// BenchmarkRecord records two threads that call as fast as they can. It reports what an event costs
// the recorder and the file, and how many events came and were lost. "idle" is what a call costs
// without probes.
func BenchmarkRecord(b *testing.B) {
	harness.NeedKernel(b)
	bin := harness.Target(b, "flood.c", "-O1")
	calls := func(cmd *exec.Cmd) float64 {
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	const seconds = 5.0
	idle := calls(exec.Command(bin, "1"))
	for b.Loop() {
		trace := filepath.Join(b.TempDir(), "trace.arrow")
		flood := exec.Command(bin, strconv.Itoa(int(seconds)+2))
		if err := flood.Start(); err != nil {
			b.Fatal(err)
		}
		rec := exec.Command(harness.Binary(), "record", "-d", time.Duration(seconds*float64(time.Second)).String(), "-e", "leaf", "-o", trace, "-p", strconv.Itoa(flood.Process.Pid))
		if text, err := rec.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, text)
		}
		flood.Wait()
		r := harness.Analyze(b, trace)
		info, err := os.Stat(trace)
		if err != nil {
			b.Fatal(err)
		}
		events := float64(r.Trace.Events)
		cpu := rec.ProcessState.UserTime() + rec.ProcessState.SystemTime()
		b.ReportMetric(float64(cpu.Nanoseconds())/events, "recorder-cpu-ns/event")
		b.ReportMetric(float64(info.Size())/events, "bytes/event")
		b.ReportMetric(events/seconds/1e6, "Mevents/s")
		b.ReportMetric(float64(r.Trace.Lost), "lost")
		b.ReportMetric(2e9*seconds/(events/2), "ns/call")
		b.ReportMetric(2e9/idle, "idle-ns/call")
	}
	b.ReportMetric(0, "ns/op")
}
