//go:build linux

package cost

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

// handoff is what a run of testdata/targets/handoffs.c, or of channels, says of request, and of
// serve, which another thread runs for it: mean and median, in ns.
type handoff struct {
	request, serve struct{ mean, median float64 }
	marked         bool // the report says that requests may wait for probes
}

// TestHandoffs: a client waits for another thread, which makes 200 traced calls before it answers.
// With --sched, a request takes as much longer than the calls as in runs without a recorder, within
// 20%, in the mean and in the median. That does not depend on the speed of the machine, or on how
// well the cost of a hit is known. Without --sched, the request is marked.
func TestHandoffs(t *testing.T) {
	harness.NeedKernel(t)
	testHandoffs(t, handoffs{[]string{harness.Target(t, "handoffs.c")}, "/^(request_.*|serve|step)$/"}, "cond", "mutex", "pipe", "socket", "tcp", "epoll", "chain", "server4", "server16")
}

// TestSleepIsNoHandoff: a thread that sleeps while another one is in probes does not wait for it.
// Only the rows of the scheduler say so.
func TestSleepIsNoHandoff(t *testing.T) {
	harness.NeedKernel(t)
	program := handoffs{[]string{harness.Target(t, "handoffs.c")}, "/^(request_.*|serve|step)$/"}
	for _, flags := range [][]string{nil, {"--sched"}} {
		got := program.traced(t, "sleep", flags...)
		if runtime.GOARCH == "amd64" && got.marked != (flags == nil) {
			t.Errorf("record %v: marked %v, %+v", flags, got.marked, got)
		}
	}
}

// TestGoHandoffs is TestHandoffs for goroutines.
func TestGoHandoffs(t *testing.T) {
	harness.NeedKernel(t)
	harness.NeedTool(t, "chrt")
	command := []string{"chrt", "-f", "10", harness.GoTarget(t, "channels")} // others disturb it less
	testHandoffs(t, handoffs{command, "/^main.(request[A-Za-z]*|serve|step)$/"}, "channel", "cond", "wait")
}

// handoffs is a program with requests: how to start it, and what to probe in it.
type handoffs struct {
	command   []string
	functions string
}

func testHandoffs(t *testing.T, program handoffs, hows ...string) {
	t.Helper()
	for i, how := range hows {
		t.Run(how, func(t *testing.T) {
			if i > 0 {
				harness.Long(t)
			}
			harness.Retry(t, 4, func() string { return program.compare(t, how) })
			if got := program.traced(t, how); !got.marked {
				t.Errorf("not marked without --sched: %+v", got)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		for _, flags := range [][]string{nil, {"--sched"}} {
			if program.traced(t, "none", flags...).marked {
				t.Errorf("marked, though nothing waits (record %v)", flags)
			}
		}
	})
}

// compare compares runs with and without a recorder. It returns what is off.
func (p *handoffs) compare(t *testing.T, how string) (off string) {
	t.Helper()
	var truth, corrected []handoff
	for range 5 {
		truth = append(truth, p.untraced(t, how))
		got := p.traced(t, how, "--sched")
		corrected = append(corrected, got)
		if got.marked {
			off = "marked with --sched\n"
		}
	}
	for name, figure := range map[string]func(*handoff) float64{
		"mean":   func(h *handoff) float64 { return h.request.mean / h.serve.mean },
		"median": func(h *handoff) float64 { return h.request.median / h.serve.median },
	} {
		want, got := middle(truth, figure), middle(corrected, figure)
		text := fmt.Sprintf("%s: a request takes %.2f times as long as its calls, corrected %.2f\n", name, want, got)
		t.Log(text)
		if got < 0.8*want || got > 1.2*want {
			off += text
		}
	}
	return off
}

// run returns the command for some requests.
func (p *handoffs) run(how string) []string { return append(slices.Clone(p.command), how, "200") }

func (p *handoffs) untraced(t *testing.T, how string) (h handoff) {
	t.Helper()
	command := p.run(how)
	out, err := exec.Command(command[0], command[1:]...).Output()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(out), &h.request.mean, &h.request.median, &h.serve.mean, &h.serve.median); err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	return h
}

// traced returns the corrected figures of a recorded run.
func (p *handoffs) traced(t *testing.T, how string, flags ...string) (h handoff) {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	args := append([]string{"record", "-o", trace, "-e", p.command[len(p.command)-1] + ":" + p.functions}, flags...)
	if _, stderr, status := harness.Utrace(t, append(append(args, "--"), p.run(how)...)...); status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	harness.Validate(t, trace)
	var r struct {
		Functions []struct {
			Name         string
			AvgNs        float64 `json:"avg_ns"`
			P50Ns        float64 `json:"p50_ns"`
			AwaitsProbes bool    `json:"awaits_probes"`
		}
	}
	harness.AnalyzeJSON(t, &r, trace)
	for _, f := range r.Functions {
		switch {
		case strings.Contains(f.Name, "request"):
			h.request.mean, h.request.median, h.marked = f.AvgNs, f.P50Ns, f.AwaitsProbes
		case strings.HasSuffix(f.Name, "serve"):
			h.serve.mean, h.serve.median = f.AvgNs, f.P50Ns
		}
	}
	if h.request.mean == 0 || h.serve.mean == 0 {
		t.Fatalf("%+v", r)
	}
	return h
}

// middle returns the median of a figure.
func middle(list []handoff, figure func(*handoff) float64) float64 {
	var values []float64
	for i := range list {
		values = append(values, figure(&list[i]))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
