//go:build linux

package flight

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"utrace/format"
)

// fixture is a Memory with the functions slow and fast of a process.
type fixture struct {
	*Memory
	t          *testing.T
	slow, fast format.FuncID
}

func newFixture(t *testing.T, cfg Config, rules ...string) *fixture {
	t.Helper()
	for _, text := range rules {
		r, err := ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Rules = append(cfg.Rules, r)
	}
	m, err := NewMemory(cfg, format.Meta{PIDs: []int{10}, Start: format.Anchor{MonoNs: 1e12, WallNs: 2e18}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Free(); err != nil {
			t.Error(err)
		}
	})
	mod := m.AddModule(format.Module{Path: "/bin/p"})
	f := &fixture{Memory: m, t: t, slow: m.AddFunc(format.Func{Name: "slow", Module: mod}), fast: m.AddFunc(format.Func{Name: "fast", Module: mod})}
	m.AddProcess(format.Process{PID: 10, Comm: "p"})
	return f
}

func (f *fixture) thread(tid int) format.ThreadID {
	return f.AddThread(format.Thread{PID: 10, TID: tid, Comm: "p"})
}

// call appends a call.
func (f *fixture) call(thread format.ThreadID, fn format.FuncID, sp uint64, from, to time.Duration) {
	f.event(thread, format.Entry, fn, sp, from)
	f.event(thread, format.Return, fn, sp, to)
}

func (f *fixture) event(thread format.ThreadID, kind format.Kind, fn format.FuncID, sp uint64, at time.Duration) {
	f.t.Helper()
	if err := f.Append(&format.Event{TimeNs: uint64(at), Thread: thread, Kind: kind, Func: fn, SP: sp}); err != nil {
		f.t.Fatal(err)
	}
}

// settle says that everything before a time has been read.
func (f *fixture) settle(at time.Duration) {
	f.t.Helper()
	if err := f.Flush(); err != nil {
		f.t.Fatal(err)
	}
	if err := f.Advance(uint64(at)); err != nil {
		f.t.Fatal(err)
	}
	f.Sweep()
}

// write writes the trace of a moment, and returns its text.
func (f *fixture) write(moment *Moment) string {
	f.t.Helper()
	path := filepath.Join(f.t.TempDir(), "trace")
	file, err := os.Create(path)
	if err != nil {
		f.t.Fatal(err)
	}
	defer file.Close()
	trace, err := f.NewTrace(file, moment, format.Anchor{MonoNs: 1e12, WallNs: 2e18}, func(*format.Writer) {})
	if err != nil {
		f.t.Fatal(err)
	}
	if err := trace.Write(); err != nil {
		f.t.Fatal(err)
	}
	if err := f.Release(trace); err != nil {
		f.t.Fatal(err)
	}
	validate(f.t, path)
	r, err := format.Open(path)
	if err != nil {
		f.t.Fatal(err)
	}
	defer r.Close()
	var text strings.Builder
	if err := format.WriteText(&text, r); err != nil {
		f.t.Fatal(err)
	}
	return text.String()
}

func validate(t *testing.T, path string) {
	t.Helper()
	r, err := format.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := format.Validate(r); err != nil {
		t.Error(err)
	}
}

// events returns the rows of events in the text of a trace.
func events(text string) (list []string) {
	for line := range strings.Lines(text) {
		if line[0] >= '0' && line[0] <= '9' {
			list = append(list, strings.TrimSpace(line))
		}
	}
	return list
}

// TestTrace: a trace has the time around a moment, with the call that made it and what is below it.
// Earlier and later events are not in it, and its times count from its own beginning.
func TestTrace(t *testing.T) {
	const ms = time.Millisecond
	f := newFixture(t, Config{Last: time.Second, After: 100 * ms, Bytes: 1 << 30}, "slow > 200ms")
	f.call(f.thread(11), f.fast, 0x1000, 100*ms, 101*ms)
	f.settle(1500 * ms)
	thread := f.thread(12)
	f.event(thread, format.Entry, f.fast, 0x9000, 1600*ms) // open at the start of the trace
	f.settle(2000 * ms)
	f.event(thread, format.Return, f.fast, 0x9000, 2900*ms)
	f.event(thread, format.Entry, f.slow, 0x8000, 3000*ms)
	f.settle(3050 * ms)
	f.call(thread, f.fast, 0x7000, 3100*ms, 3101*ms)
	f.event(thread, format.Return, f.slow, 0x8000, 3300*ms)
	if f.settle(3350 * ms); f.Due(false) != nil {
		t.Error("due before the time after the moment is over")
	}
	f.call(thread, f.fast, 0x9000, 3390*ms, 3401*ms)
	f.settle(3500 * ms)
	moment := f.Due(false)
	if moment == nil {
		t.Fatal("no moment")
	}
	if want := "slow took 300ms in process 10 (p), thread 12"; moment.Text != want || moment.TimeNs != uint64(3300*ms) {
		t.Errorf("moment %q at %d, want %q", moment.Text, moment.TimeNs, want)
	}
	text := f.write(moment)
	want := []string{ // the trace begins at 2.3 s
		"600000000 0 return 1 sp=0x9000",
		"700000000 0 entry 0 sp=0x8000",
		"800000000 0 entry 1 sp=0x7000",
		"801000000 0 return 1 sp=0x7000",
		"1000000000 0 return 0 sp=0x8000",
		"1090000000 0 entry 1 sp=0x9000",
	}
	if got := events(text); !slices.Equal(got, want) {
		t.Errorf("events:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, part := range []string{`"mono_ns":1002300000000`, `"wall_ns":2000000002300000000`, `"reason":"slow took 300ms`} {
		if !strings.Contains(text, part) {
			t.Errorf("no %s in the trace:\n%s", part, text)
		}
	}
	if strings.Contains(text, `"tid":11`) {
		t.Error("a thread without events in the trace is defined")
	}
}

// TestLongCall: a trace has the beginning of the call that met its rule, even if the call took
// longer than what is to be kept. If the memory has lost it, the moment says so.
func TestLongCall(t *testing.T) {
	const ms = time.Millisecond
	for _, seen := range [][]time.Duration{nil, {1300 * ms, 1850 * ms}, {1300 * ms, 1950 * ms}} { // when memory looked, while the call was open
		f := newFixture(t, Config{Last: time.Second, Bytes: 1 << 30}, "slow > 200ms")
		f.settle(900 * ms)
		f.event(f.thread(11), format.Entry, f.slow, 0x1000, time.Second)
		for _, at := range seen {
			f.settle(at)
		}
		f.event(0, format.Return, f.slow, 0x1000, 2500*ms)
		f.settle(2510 * ms)
		moment := f.Due(true)
		if moment == nil {
			t.Fatal("no moment")
		}
		got := events(f.write(moment))
		if begin := len(got) > 0 && strings.HasSuffix(got[0], "entry 0 sp=0x1000"); !begin || strings.Contains(moment.Text, "has left the memory") {
			t.Errorf("looked at %v: moment %q, events %q", seen, moment.Text, got)
		}
	}
	f := newFixture(t, Config{Last: time.Second, Bytes: 1 << 30}, "slow > 200ms")
	f.segments[0].fromNs = uint64(5 * time.Second) // as if the memory had been full
	if text := f.beginning(uint64(4 * time.Second)); !strings.Contains(text, "has left the memory") {
		t.Errorf("%q", text)
	}
}

// TestEvery: moments in the time of another one, or too soon, get no trace and are counted.
func TestEvery(t *testing.T) {
	f := newFixture(t, Config{Last: time.Second, Every: 5 * time.Second, Bytes: 1 << 30}, "slow")
	thread := f.thread(10)
	written := 0
	for at := time.Second; at <= 12*time.Second; at += time.Second {
		f.call(thread, f.slow, 0x1000, at, at+1)
		if f.settle(at + 2); f.Due(false) != nil {
			written++
		}
	}
	if written != 3 || f.Moments() != 12 {
		t.Errorf("%d traces of %d moments, want 3 of 12", written, f.Moments())
	}
}

// TestOverdue: a call that does not return is a moment before its beginning is forgotten, once. A
// call that was unwound is none, nor is one that may have returned among lost events.
func TestOverdue(t *testing.T) {
	f := newFixture(t, Config{Last: 8 * time.Second, Bytes: 1 << 30}, "slow > 1s")
	hangs, unwound, ended := f.thread(11), f.thread(12), f.thread(13)
	for _, thread := range []format.ThreadID{hangs, unwound, ended} {
		f.event(thread, format.Entry, f.slow, 0x1000, time.Second)
	}
	f.settle(2 * time.Second)
	f.event(unwound, format.Entry, f.fast, 0x2000, 3*time.Second)
	f.event(ended, format.Exit, 0, 0, 3*time.Second)
	for at := 3 * time.Second; at < 20*time.Second; at += time.Second {
		f.settle(at)
	}
	moment := f.Due(true)
	if moment == nil || f.Moments() != 1 {
		t.Fatalf("moment %v, %d in all", moment, f.Moments())
	}
	if want := "slow has not returned for 8s in process 10 (p), thread 11"; moment.Text != want {
		t.Errorf("moment %q, want %q", moment.Text, want)
	}
	f.event(hangs, format.Return, f.slow, 0x1000, 20*time.Second)
	f.event(unwound, format.Entry, f.slow, 0x1000, 21*time.Second)
	f.AddLoss(format.Loss{FirstNs: uint64(22 * time.Second), LastNs: uint64(22 * time.Second), Returns: 1})
	for at := 22 * time.Second; at < 40*time.Second; at += time.Second {
		f.settle(at)
	}
	if f.Moments() != 1 {
		t.Errorf("%d moments, want 1", f.Moments())
	}
}

// TestBounded: memory and tables stay as they are, however many threads and processes there were,
// and a trace of the last moment is whole.
func TestBounded(t *testing.T) {
	f := newFixture(t, Config{Last: time.Second, Bytes: 1 << 30}, "slow")
	at := time.Duration(0)
	for i := range 3000 {
		at += 10 * time.Millisecond
		pid := 100 + i
		f.AddProcess(format.Process{PID: pid, Comm: "child"})
		thread := f.AddThread(format.Thread{PID: pid, TID: pid})
		f.call(thread, f.fast, 0x1000, at, at+5)
		f.AddLoss(format.Loss{FirstNs: uint64(at), LastNs: uint64(at), Entries: 1})
		f.AddCalibration(format.Calibration{TimeNs: uint64(at)})
		set := f.AddProbeSet(format.ProbeSet{Funcs: []format.FuncID{f.fast}})
		f.AddWindow(format.Window{Set: set, FromNs: uint64(at - time.Millisecond), ToNs: uint64(at), OffNs: uint64(at), CPUNs: 1000})
		f.AddSurvey(format.Survey{TimeNs: uint64(at), CPUNs: uint64(at), Funcs: 2})
		if i%25 != 24 {
			continue
		}
		f.settle(at + 6)
		if len(f.threads) > 200 || len(f.processes) > 200 || len(f.segments) > 2*partsOfTime || len(f.calibrations) > maxCalibrations {
			t.Fatalf("after %s: %d threads, %d processes, %d segments, %d calibrations", at, len(f.threads), len(f.processes), len(f.segments), len(f.calibrations))
		}
	}
	f.call(f.thread(10), f.slow, 0x1000, at+7, at+8)
	f.settle(at + 9)
	text := f.write(f.Due(true))
	if n := len(events(text)); n != 2*100+1 {
		t.Errorf("%d events, want those of 100 calls, and the entry of slow", n)
	}
	if n := strings.Count(text, "\nwindow "); n != 100 && n != 101 {
		t.Errorf("%d windows, want one for each call", n)
	}
	// The processes used all the time, so the counters of the trace are its times.
	if first, last := `survey {"module":0,"time_ns":0,"funcs":2,"cpu_ns":0,`, `survey {"module":0,"time_ns":1000000000,"funcs":2,"cpu_ns":999999993,`; !strings.Contains(text, first) || !strings.Contains(text, last) {
		t.Errorf("no counters %s and %s:\n%.3000s", first, last, text)
	}
}

// TestMemoryLimit: the oldest events go first, and the trace says that it lacks them.
func TestMemoryLimit(t *testing.T) {
	const limit = 1 << 20
	f := newFixture(t, Config{Last: time.Hour, Bytes: limit}, "slow")
	thread := f.thread(10)
	x, at := uint32(1), time.Duration(0)
	for range 100 {
		for range 4000 {
			x = x*1664525 + 1013904223 // times that do not compress
			at += time.Duration(x>>8) + 1
			f.call(thread, f.fast, 0x1000+uint64(x>>20)*16, at, at+1)
		}
		if f.settle(at + 2); f.Size() > limit+limit/8 {
			t.Fatalf("%d bytes", f.Size())
		}
	}
	f.call(thread, f.slow, 0x1000, at+3, at+4)
	f.settle(at + 5)
	text := f.write(f.Due(true))
	if n := len(events(text)); n < 50_000 || n > 780_000 {
		t.Errorf("%d events", n)
	}
	if !strings.Contains(text, "the memory of 1 MiB was full") {
		t.Error("the trace does not say what it lacks")
	}
}

// TestThreadNumbers: a thread that was forgotten may come back, and its number may be another's.
func TestThreadNumbers(t *testing.T) {
	f := newFixture(t, Config{Last: time.Second, Bytes: 1 << 30}, "slow")
	first := f.thread(11)
	f.call(first, f.fast, 0x1000, 1, 2)
	for at := time.Second; at < 10*time.Second; at += time.Second {
		f.settle(at)
	}
	if f.Keeps(first) {
		t.Fatal("a thread without events is kept")
	}
	f.AddProcess(format.Process{PID: 10, Comm: "p"})
	second := f.thread(12)
	third := f.thread(13)
	if second != first || third == second {
		t.Errorf("threads %d, %d, %d", first, second, third)
	}
	f.call(third, f.fast, 0x1000, 10*time.Second, 10*time.Second+1)
	f.call(second, f.slow, 0x1000, 10*time.Second+2, 10*time.Second+3)
	f.settle(10*time.Second + 4)
	text := f.write(f.Due(true))
	for _, tid := range []int{12, 13} {
		if !strings.Contains(text, fmt.Sprintf(`"tid":%d`, tid)) {
			t.Errorf("no thread %d:\n%s", tid, text)
		}
	}
	if strings.Contains(text, `"tid":11`) {
		t.Error("the forgotten thread is in the trace")
	}
}

// TestUnmatched: a rule without a function is reported, and so is one that no call can meet.
func TestUnmatched(t *testing.T) {
	f := newFixture(t, Config{Last: time.Second, Bytes: 1 << 30}, "slow > 1ms", "other > 1ms", "fast if n > 3", "signal:USR1")
	if got := f.Unmatched(); len(got) != 1 || !strings.Contains(got[0], "other > 1ms") {
		t.Errorf("without a function: %q", got)
	}
	if got := f.Problems(); len(got) != 1 || !strings.Contains(got[0], "n is no recorded value of fast") {
		t.Errorf("never met: %q", got)
	}
}

// TestCheck: a rule that no call can meet is an error. It is none if one of its functions can meet
// it, or if no function is known yet.
func TestCheck(t *testing.T) {
	cfg := Config{Last: time.Second, Bytes: 1 << 30}
	err := newFixture(t, cfg, "slow > 1ms", "fast if n > 3").Check()
	if !errors.Is(err, ErrRule) || !strings.Contains(err.Error(), "n is no recorded value of fast") {
		t.Errorf("never met: %v", err)
	}
	f := newFixture(t, cfg, "other > 1ms", "*low* if n > 3", "fast > 1ms")
	f.AddFunc(format.Func{Name: "lower", Args: []format.Arg{{Name: "n"}}})
	if err := f.Check(); err != nil {
		t.Error(err)
	}
}

// TestFailed: the moment of a call that failed says so.
func TestFailed(t *testing.T) {
	f := newFixture(t, Config{Last: time.Second, Bytes: 1 << 30}, "error slow")
	thread := f.thread(11)
	f.event(thread, format.Entry, f.slow, 0x1000, time.Second)
	failure := -2
	if err := f.Append(&format.Event{TimeNs: uint64(time.Second + 5), Thread: thread, Kind: format.Return, Func: f.slow, SP: 0x1000, Value: uint64(failure)}); err != nil {
		t.Fatal(err)
	}
	f.settle(2 * time.Second)
	if m := f.Due(true); m == nil || m.Text != "slow failed after 5ns in process 10 (p), thread 11" {
		t.Errorf("%+v", m)
	}
}
