//go:build linux

package bench

import (
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"utrace/record/test/harness"
)

// BenchmarkFirstLook records busy servers without naming a probe. Four clients, each on its own
// connection, count the requests. Reported are
//
//   - kept: the throughput while recording, as a part of that before;
//   - worst: the same of the worst half second;
//   - calls: the number of calls in the report, as a part of the clients' count;
//   - p50, p99: durations in the report, as a part of those of a recording of that function alone.
//     Of Java, PHP and Python it is one of all functions, which takes much longer itself;
//   - used: what the survey says that its probes have used, in percent;
//   - perf: kept while perf record -g samples the server, where there is perf.
func BenchmarkFirstLook(b *testing.B) {
	harness.NeedKernel(b)
	for _, server := range []struct {
		name  string
		start func(b *testing.B) lookedAt
	}{
		{"redis", lookAtRedis},
		{"go", lookAtGo},
		{"python", lookAtPython},
		{"postgres", lookAtPostgres},
		{"cpp", lookAtCPP},
		{"java", lookAtJava},
		{"php", lookAtPHP},
	} {
		b.Run(server.name, func(b *testing.B) { firstLook(b, server.start(b)) })
	}
}

// load lets clients of a server ask until stop, and counts their requests.
type load struct {
	requests atomic.Uint64
	quit     chan struct{}
	clients  sync.WaitGroup
}

func startLoad(b *testing.B, s lookedAt) *load {
	l := &load{quit: make(chan struct{})}
	for range 4 {
		request := s.client()
		l.clients.Go(func() {
			for {
				select {
				case <-l.quit:
					return
				default:
				}
				if err := request(); err == nil {
					l.requests.Add(1)
				}
			}
		})
	}
	b.Cleanup(l.stop)
	return l
}

func (l *load) stop() {
	select {
	case <-l.quit:
	default:
		close(l.quit)
	}
	l.clients.Wait()
}

// rates returns the requests per second of each half second, until done.
func (l *load) rates(done <-chan struct{}) (rates []float64) {
	for {
		before, start := l.requests.Load(), time.Now()
		select {
		case <-done:
			return rates
		case <-time.After(500 * time.Millisecond):
		}
		rates = append(rates, float64(l.requests.Load()-before)/time.Since(start).Seconds())
	}
}

// during runs a command, and returns the rates meanwhile and how many requests there were.
func (l *load) during(b *testing.B, name string, args ...string) (rates []float64, requests uint64) {
	done := make(chan struct{})
	before := l.requests.Load()
	go func() {
		defer close(done)
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			b.Errorf("%s: %v\n%s", name, err, out)
		}
	}()
	rates = l.rates(done)
	return rates, l.requests.Load() - before
}

func firstLook(b *testing.B, s lookedAt) {
	target := append([]string{"-p", strconv.Itoa(s.pid)}, s.flags...)
	l := startLoad(b, s)
	for b.Loop() {
		alone, _ := l.during(b, "sleep", "5")
		trace := filepath.Join(b.TempDir(), "trace.arrow")
		kept, requests := l.during(b, harness.Binary(), append([]string{"record", "-d", "20s", "-o", trace}, target...)...)
		var r surveyed
		harness.AnalyzeJSON(b, &r, trace)
		only := filepath.Join(b.TempDir(), "only.arrow")
		args := append([]string{"record", "-d", "3s", "-o", only}, target...)
		l.during(b, harness.Binary(), append(args, s.probe...)...)
		var truth surveyed
		harness.AnalyzeJSON(b, &truth, only)
		perf := math.NaN()
		if _, err := exec.LookPath("perf"); err == nil {
			rates, _ := l.during(b, "perf", "record", "-q", "-g", "-o", filepath.Join(b.TempDir(), "perf.data"), "-p", strconv.Itoa(s.pid), "sleep", "5")
			perf = mean(rates) / mean(alone)
		}
		got, want := r.row(s.function), truth.row(s.function)
		seconds := float64(r.Trace.DurationNs) / 1e9
		b.ReportMetric(mean(alone), "alone/s")
		b.ReportMetric(mean(kept)/mean(alone), "kept")
		b.ReportMetric(slices.Min(kept)/mean(alone), "worst")
		b.ReportMetric(float64(got.Calls)/seconds/(float64(requests)/(0.5*float64(len(kept)))), "calls")
		b.ReportMetric(float64(got.CallsError)/math.Max(1, float64(got.Calls)), "calls-error")
		b.ReportMetric(float64(got.P50Ns)/float64(want.P50Ns), "p50")
		b.ReportMetric(float64(got.P99Ns)/float64(want.P99Ns), "p99")
		b.ReportMetric(got.Covered, "covered")
		b.ReportMetric(r.Trace.Survey.UsedPercent, "used%")
		b.ReportMetric(perf, "perf-kept")
	}
	b.ReportMetric(0, "ns/op")
}

// surveyed is the part of a report that is compared.
type surveyed struct {
	Trace struct {
		DurationNs int64 `json:"duration_ns"`
		Survey     struct {
			UsedPercent float64 `json:"used_percent"`
		}
	}
	Functions []surveyedFunction
}

type surveyedFunction struct {
	Name       string
	Calls      uint64
	CallsError uint64 `json:"calls_error"`
	Covered    float64
	P50Ns      uint64 `json:"p50_ns"`
	P99Ns      uint64 `json:"p99_ns"`
}

func (r *surveyed) row(name string) surveyedFunction {
	for _, f := range r.Functions {
		if f.Name == name {
			return f
		}
	}
	return surveyedFunction{Name: fmt.Sprintf("no %s", name)}
}

func mean(list []float64) (m float64) {
	for _, v := range list {
		m += v / float64(len(list))
	}
	return m
}
