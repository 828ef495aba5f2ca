//go:build linux

package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"utrace/analyze"
	"utrace/record/test/harness"
)

// BenchmarkHandoffs does what BenchmarkCompensation does, for calls that wait for another thread,
// goroutine or process, which makes 200 traced calls: with and without the scheduler.
func BenchmarkHandoffs(b *testing.B) {
	harness.NeedKernel(b)
	harness.NeedTool(b, "chrt")
	trace := filepath.Join(b.TempDir(), "trace.arrow")
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tmean truth\traw\tcorrected\tratio\tmedian truth\traw\tcorrected\tratio\twithout sched\t")
	c, goProgram := harness.Target(b, "handoffs.c"), harness.GoTarget(b, "channels")
	for _, program := range []struct {
		command   []string
		functions string
		hows      []string
	}{
		{[]string{c}, "/^(request_.*|serve|step)$/", []string{"none", "cond", "mutex", "pipe", "socket", "tcp", "epoll", "chain", "server1", "server4", "server16"}},
		{[]string{"chrt", "-f", "10", goProgram}, "/^main.(request[A-Za-z]*|serve|step)$/", []string{"none", "channel", "cond", "wait"}},
	} {
		for _, how := range program.hows {
			bin := program.command[len(program.command)-1]
			name := filepath.Base(bin) + "/" + how
			b.Run(name, func(b *testing.B) {
				command := append(slices.Clone(program.command), how, "200")
				record := []string{"record", "--force", "-o", trace, "-e", bin + ":" + program.functions}
				var f compensated
				for b.Loop() {
					f = handOver(b, trace, record, command)
				}
				us := func(list []float64) string { return fmt.Sprintf("%.0f", median(list)/1e3) }
				mean, median50 := median(f.mean.corrected)/median(f.mean.truth), median(f.median.corrected)/median(f.median.truth)
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.2f\t%s\t%s\t%s\t%.2f\t%s\t\n", name,
					us(f.mean.truth), us(f.mean.raw), us(f.mean.corrected), mean,
					us(f.median.truth), us(f.median.raw), us(f.median.corrected), median50, strings.Repeat("~", min(1, f.marked)))
				b.ReportMetric(mean, "mean-ratio")
				b.ReportMetric(median50, "median-ratio")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
	w.Flush()
	fmt.Fprintf(os.Stdout, "\n%s: us a call; ~ marked without --sched\n%s", b.Name(), text.String())
}

// handOver takes some turns of runs without a recorder, with it, and with the scheduler. marked
// counts turns in which the report without the scheduler says that the calls may wait for probes.
func handOver(b *testing.B, trace string, record, command []string) (f compensated) {
	b.Helper()
	run := func(args ...string) string {
		out, err := exec.Command(args[0], args[1:]...).Output()
		if err != nil {
			b.Fatalf("%v: %v", args, err)
		}
		return string(out)
	}
	request := func(opts analyze.Options) *analyze.Row {
		r, err := analyze.Report([]string{trace}, opts)
		if err != nil {
			b.Fatal(err)
		}
		for i := range r.Rows {
			if strings.Contains(r.Rows[i].Name, "request") {
				return &r.Rows[i]
			}
		}
		b.Fatal("no request")
		return nil
	}
	const turns = 5
	for range turns {
		var mean, median float64
		if _, err := fmt.Sscan(run(command...), &mean, &median); err != nil {
			b.Fatal(err)
		}
		f.mean.truth, f.median.truth = append(f.mean.truth, mean), append(f.median.truth, median)

		traced := append(append([]string{harness.Binary()}, record...), "--")
		run(append(traced, command...)...)
		if request(analyze.Options{}).AwaitsProbes {
			f.marked++
		}
		traced[len(traced)-1] = "--sched"
		run(append(append(traced, "--"), command...)...)
		d, c := request(analyze.Options{Raw: true}), request(analyze.Options{})
		f.mean.raw, f.mean.corrected = append(f.mean.raw, float64(d.Durations.Mean())), append(f.mean.corrected, float64(c.Durations.Mean()))
		f.median.raw, f.median.corrected = append(f.median.raw, float64(d.Durations.Quantile(500))), append(f.median.corrected, float64(c.Durations.Quantile(500)))
	}
	return f
}
