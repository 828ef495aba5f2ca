//go:build linux

package bench

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"utrace/analyze"
	"utrace/record/test/harness"
)

// compensated is the durations of one function of testdata/targets/compensation.c, in nanoseconds:
// mean and median, each with a value per turn.
type compensated struct {
	mean, median struct{ truth, raw, corrected []float64 }
	marked       int // turns in which the report marks it as not resolved
}

// BenchmarkCompensation compares the durations in the report with those by the clock of the program
// itself, in a run without a recorder. The two kinds of runs take turns, and medians are shown. A
// single thread runs with a real-time priority, so that other programs on the machine disturb it
// less.
func BenchmarkCompensation(b *testing.B) {
	harness.NeedKernel(b)
	harness.NeedTool(b, "chrt")
	bin := harness.Target(b, "compensation.c", "-O1")
	steps, err := exec.Command(bin).Output()
	if err != nil {
		b.Fatal(err)
	}
	const turns = 5
	for _, class := range []struct{ prefix, name string }{{"nop5", "nop5"}, {"push", "emulated"}, {"mov", "stepped"}} {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/threads=%d", class.name, threads), func(b *testing.B) {
				command := []string{bin, class.prefix, strconv.Itoa(threads), "20", strings.TrimSpace(string(steps)), "all"}
				if threads == 1 {
					command = append([]string{"chrt", "-f", "10"}, command...)
				}
				trace := filepath.Join(b.TempDir(), "trace.arrow")
				var functions map[string]*compensated
				for b.Loop() {
					functions = map[string]*compensated{}
					for range turns {
						compensate(b, functions, trace, bin+":"+class.prefix+"_*", command)
					}
				}
				reportCompensation(b, functions)
			})
		}
	}
}

// compensate is one turn.
func compensate(b *testing.B, functions map[string]*compensated, trace, probe string, command []string) {
	b.Helper()
	text, err := exec.Command(command[0], command[1:]...).Output()
	if err != nil {
		b.Fatal(err)
	}
	truth := map[string][][2]float64{} // by thread
	for line := range strings.Lines(string(text)) {
		var name string
		var mean, median float64
		if _, err := fmt.Sscan(line, &name, &mean, &median); err != nil {
			b.Fatalf("%q: %v", line, err)
		}
		truth[name] = append(truth[name], [2]float64{mean, median})
	}
	record := exec.Command(harness.Binary(), append([]string{"record", "--force", "--no-follow", "-o", trace, "-e", probe, "--"}, command...)...)
	if out, err := record.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	raw, err := analyze.Report([]string{trace}, analyze.Options{Raw: true})
	if err != nil {
		b.Fatal(err)
	}
	corrected, err := analyze.Report([]string{trace}, analyze.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if !corrected.Trace.Probes.Measured {
		b.Fatal("the cost of probes is not known")
	}
	for name, threads := range truth {
		f := functions[name]
		if f == nil {
			f = &compensated{}
			functions[name] = f
		}
		var mean, median float64
		for _, t := range threads {
			mean, median = mean+t[0]/float64(len(threads)), median+t[1]/float64(len(threads))
		}
		f.mean.truth, f.median.truth = append(f.mean.truth, mean), append(f.median.truth, median)
		row := func(r *analyze.Result) *analyze.Row {
			i := slices.IndexFunc(r.Rows, func(row analyze.Row) bool { return row.Name == name })
			if i < 0 {
				b.Fatalf("no function %s", name)
			}
			return &r.Rows[i]
		}
		d, c := row(raw), row(corrected)
		f.mean.raw, f.mean.corrected = append(f.mean.raw, float64(d.Durations.Mean())), append(f.mean.corrected, float64(c.Durations.Mean()))
		f.median.raw, f.median.corrected = append(f.median.raw, float64(d.Durations.Quantile(500))), append(f.median.corrected, float64(c.Durations.Quantile(500)))
		if c.BelowResolution {
			f.marked++
		}
	}
}

// reportCompensation prints the table. It counts functions that are marked, and others whose mean
// is within 15% of the truth.
func reportCompensation(b *testing.B, functions map[string]*compensated) {
	type key struct {
		kind      byte // o, r or p: see compensation.c
		us, calls int
	}
	inside := map[byte]string{'o': "in a row", 'r': "nested", 'p': "tiny, of two callers"}
	keys := map[string]key{}
	var names []string
	for name := range functions {
		_, shape, _ := strings.Cut(name, "_")
		var k key
		if _, err := fmt.Sscanf(shape, "%c%d_%d", &k.kind, &k.us, &k.calls); err != nil {
			b.Fatalf("%s: %v", name, err)
		}
		keys[name] = k
		names = append(names, name)
	}
	slices.SortFunc(names, func(x, y string) int {
		return cmp.Or(cmp.Compare(keys[x].kind, keys[y].kind), cmp.Compare(keys[x].us, keys[y].us), cmp.Compare(keys[x].calls, keys[y].calls))
	})
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "own us\tcalls inside\ttruth\traw\tcorrected\tratio\tmedian truth\traw\tcorrected\tratio\t\tthese\t")
	good, marked := 0, 0
	us := func(ns float64) string { return fmt.Sprintf("%.2f", ns/1e3) }
	for _, name := range names {
		f := functions[name]
		mean, median50 := median(f.mean.corrected)/median(f.mean.truth), median(f.median.corrected)/median(f.median.truth)
		mark := ""
		switch {
		case f.marked > len(f.mean.truth)/2:
			mark, marked = "~", marked+1
		case mean > 0.85 && mean < 1.15:
			good++
		default:
			mark = "!"
		}
		fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%s\t%.2f\t%s\t%s\t%s\t%.2f\t%s\t%s\t\n", keys[name].us, keys[name].calls,
			us(median(f.mean.truth)), us(median(f.mean.raw)), us(median(f.mean.corrected)), mean,
			us(median(f.median.truth)), us(median(f.median.raw)), us(median(f.median.corrected)), median50, mark, inside[keys[name].kind])
	}
	w.Flush()
	fmt.Fprintf(os.Stdout, "\n%s: us a call; ~ marked as not resolved, ! mean not within 15%%\n%s", b.Name(), text.String()) // b.Log cuts it off
	b.ReportMetric(float64(good), "within-15%")
	b.ReportMetric(float64(marked), "marked")
	b.ReportMetric(float64(len(names)-good-marked), "off")
	b.ReportMetric(0, "ns/op")
}
