package analyze

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"utrace/format"
)

// writeTrace makes a trace of text.
func writeTrace(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace.arrow")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := format.ReadText(strings.NewReader(text), f); err != nil {
		t.Fatal(err)
	}
	return path
}

// costTrace has outer call inner twice, with a hit between; their costs are calibrated, those of
// other are not.
const costTrace = `meta {"start":{"mono_ns":0,"wall_ns":0}}
module {"path":"/bin/prog"}
func {"name":"outer","module":0,"addr":1,"entry_class":"emulated","return_class":"trampoline"}
func {"name":"inner","module":0,"addr":2,"entry_class":"nop5","return_class":"trampoline"}
func {"name":"point","module":0,"addr":3,"hit":true,"entry_class":"emulated"}
func {"name":"other","module":0,"addr":4}
calibration {"time_ns":0,"quiet_ns":100,"interrupt_ns":0,"sites":[{"entry":"emulated","entry_ns":300,"entry_iqr_ns":5},{"entry":"emulated","return":"trampoline","entry_ns":300,"inside_ns":100,"call_ns":400},{"entry":"nop5","return":"trampoline","entry_ns":50,"inside_ns":40,"call_ns":90}]}
process {"pid":1,"comm":"prog"}
thread {"pid":1,"tid":1,"comm":"prog"}
1000 0 entry 0 sp=0x1000
2000 0 entry 1 sp=0xf00
3040 0 return 1 sp=0xf00
3500 0 hit 2
4000 0 entry 1 sp=0xf00
4030 0 return 1 sp=0xf00
5000 0 entry 3 sp=0xe00
5500 0 return 3 sp=0xe00
9000 0 return 0 sp=0x1000
end {"stop":{"mono_ns":10000,"wall_ns":10000}}
`

// The subtracted cost must be the calibrated one, to the nanosecond. A call loses the part inside
// it, the calls around it lose all of it. No time is below zero. Functions without a calibration
// lose nothing, and nothing is subtracted with Raw.
func TestCompensation(t *testing.T) {
	path := writeTrace(t, costTrace)
	for _, raw := range []bool{false, true} {
		r, err := Report([]string{path}, Options{Raw: raw})
		if err != nil {
			t.Fatal(err)
		}
		type figures struct{ total, self, min, max time.Duration }
		want := map[string]figures{
			"outer": {8000 - 100 - 2*90 - 300, 8000 - 100 - 2*90 - 300 - 1000 - 500, 7420, 7420}, // the second inner call is too short: 30 of 40 ns
			"inner": {1000, 1000, 0, 1000},
			"other": {500, 500, 500, 500},
			"point": {},
		}
		probes := ProbeCost{Measured: true, Hits: 400 + 2*90 + 300, Traced: 8000, Inside: 8000, Subtracted: 580, UnmeasuredFuncs: 1}
		if raw {
			want = map[string]figures{"outer": {8000, 8000 - 1040 - 30 - 500, 8000, 8000}, "inner": {1070, 1070, 30, 1040}, "other": {500, 500, 500, 500}, "point": {}}
			probes = ProbeCost{Measured: true, Raw: true, Traced: 8000, Inside: 8000, UnmeasuredFuncs: 1}
		}
		for i := range r.Rows {
			row := &r.Rows[i]
			got := figures{row.Total, row.Self, row.Durations.Min(), row.Durations.Max()}
			if got != want[row.Name] {
				t.Errorf("raw %v: %s: %v, want %v", raw, row.Name, got, want[row.Name])
			}
		}
		if r.Trace.Probes != probes {
			t.Errorf("raw %v: %+v, want %+v", raw, r.Trace.Probes, probes)
		}
	}
}

// A function is marked if its corrected time is below the uncertainty of the cost. One with equally
// long calls at a cheaper site is not.
func TestBelowResolution(t *testing.T) {
	text := strings.ReplaceAll(costTrace, `"inside_ns":40`, `"inside_ns":1000`)
	text = strings.ReplaceAll(text, `"call_ns":90`, `"call_ns":2000`)
	r, err := Report([]string{writeTrace(t, text)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Rows {
		if row := &r.Rows[i]; row.BelowResolution != (row.Name == "inner") {
			t.Errorf("%s of %v, %v subtracted: below resolution %v", row.Name, row.Durations.Quantile(500), row.Subtracted, row.BelowResolution)
		}
	}
}

// The subtracted cost adapts to calibrations that move, with a warning.
func TestMovedCosts(t *testing.T) {
	sites := func(call int64) []format.SiteCost {
		return []format.SiteCost{{Entry: "emulated", Return: "trampoline", EntryNs: call / 2, InsideNs: call / 4, CallNs: call}}
	}
	var list []format.Calibration
	var c costs
	c.define([]format.Func{{EntryClass: "emulated", ReturnClass: "trampoline"}})
	for i, call := range []int64{1000, 1010, 4000, 990, 1000, 1000} { // one is disturbed
		list = append(list, format.Calibration{TimeNs: uint64(i), Sites: sites(call), QuietNs: 100, InterruptNs: 10})
	}
	c.calibrate(list)
	if want := (callCost{inside: 250, complete: 850, gone: 300, orphan: 550}); *c.of(0) != want {
		t.Errorf("%+v, want %+v", *c.of(0), want)
	}
	s := newSummary(nil)
	if s.addMoved("", list); len(s.warnings) != 0 {
		t.Errorf("warnings %q", s.warnings)
	}
	for range 4 {
		list = append(list, format.Calibration{Sites: sites(3000), QuietNs: 100, InterruptNs: 10})
	}
	c.calibrate(list)
	if want := int32(750); c.of(0).inside != want {
		t.Errorf("inside %d, want %d", c.of(0).inside, want)
	}
	if s.addMoved("", list); len(s.warnings) != 1 || !strings.Contains(s.warnings[0].Text, "from 1.000 us to 3.000 us") {
		t.Errorf("warnings %q", s.warnings)
	}
}

// Functions without events, such as callers on stacks, do not count as unmeasured. With Raw, there
// is no warning of costs that have moved.
func TestProbeCostOfCalled(t *testing.T) {
	text := strings.ReplaceAll(costTrace, "end {", `flush
func {"name":"main","module":0,"addr":5}
func {"name":"silent","module":0,"addr":6}
end {`)
	cheap := `calibration {"quiet_ns":100,"sites":[{"entry":"nop5","return":"trampoline","entry_ns":50,"inside_ns":40,"call_ns":90}]}` + "\n"
	text = strings.ReplaceAll(text, "end {", strings.Repeat(cheap, 5)+strings.Repeat(strings.ReplaceAll(cheap, "0,", "00,"), 5)+"end {")
	path := writeTrace(t, text)
	for _, raw := range []bool{false, true} {
		r, err := Report([]string{path}, Options{Raw: raw})
		if err != nil {
			t.Fatal(err)
		}
		if r.Trace.Probes.UnmeasuredFuncs != 1 || !r.Trace.Probes.Measured {
			t.Errorf("raw %v: %+v", raw, r.Trace.Probes)
		}
		if warned := slices.ContainsFunc(r.Warnings, func(w Warning) bool { return strings.Contains(w.Text, "moved from") }); warned == raw {
			t.Errorf("raw %v: warnings %q", raw, r.Warnings)
		}
	}
}

// A warning names the traces without calibrations. A function counts as unmeasured only in traces
// that have some.
func TestProbeCostOfSeveral(t *testing.T) {
	known := writeTrace(t, costTrace)
	unknown := writeTrace(t, regexp.MustCompile(`calibration .*\n`).ReplaceAllString(costTrace, ""))
	empty := writeTrace(t, `meta {}
end {}
`)
	for _, paths := range [][]string{{known, unknown, empty}, {unknown, empty, known}} {
		for _, raw := range []bool{false, true} {
			r, err := Report(paths, Options{Raw: raw})
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			if !raw {
				want = []string{unknown + ": the cost of probes was not measured: the times of this trace contain it, those of the others do not"}
			}
			if !r.Trace.Probes.Measured || r.Trace.Probes.UnmeasuredFuncs != 1 || !slices.Equal(texts(r.Warnings), want) {
				t.Errorf("raw %v: %+v, warnings %q", raw, r.Trace.Probes, r.Warnings)
			}
		}
	}
	if r, err := Report([]string{unknown, empty}, Options{}); err != nil || r.Trace.Probes.Measured || len(r.Warnings) > 0 {
		t.Errorf("known of none: %+v, %q, %v", r.Trace.Probes, r.Warnings, err)
	}
}

// The work for a calibration depends on the classes, which are limited, and not on the functions.
func TestCostsByClass(t *testing.T) {
	var c costs
	funcs := make([]format.Func, 10_000)
	for i := range funcs {
		funcs[i].EntryClass = []string{"nop5", "emulated", ""}[i%3]
	}
	c.define(funcs)
	cal := format.Calibration{Sites: []format.SiteCost{{Entry: "emulated", EntryNs: 300}}}
	c.calibrate([]format.Calibration{cal})
	for i := range funcs {
		if want := c.of(format.FuncID(i % 3)); c.of(format.FuncID(i)) != want || want.gone != []int32{0, 300, 0}[i%3] {
			t.Fatalf("function %d costs %+v, want %+v", i, c.of(format.FuncID(i)), want)
		}
	}
	for i := range 2 * maxClasses {
		cal.Sites = append(cal.Sites, format.SiteCost{Entry: strconv.Itoa(i), EntryNs: 100})
	}
	c.calibrate([]format.Calibration{{}, cal})
	if len(c.list) != maxClasses || len(c.index) != maxClasses-1 {
		t.Errorf("%d classes", len(c.list))
	}
}

// The percentiles of the report must be within 1% of those of the trace's exact durations, measured
// and corrected.
func TestPercentilesAgainstTrace(t *testing.T) {
	var names []string
	for name := range shapes() {
		names = append(names, name)
	}
	slices.Sort(names)
	path := filepath.Join(t.TempDir(), "trace.arrow")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := format.NewWriter(f, format.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	m := w.AddModule(format.Module{Path: "/bin/prog"})
	w.AddCalibration(format.Calibration{Sites: []format.SiteCost{{Entry: "emulated", Return: "trampoline", EntryNs: 200, InsideNs: 90, CallNs: 300}}})
	w.AddProcess(format.Process{PID: 1})
	const calls = 1500
	for i, name := range names {
		fn := w.AddFunc(format.Func{Name: name, Module: m, Addr: uint64(i + 1), EntryClass: "emulated", ReturnClass: "trampoline"})
		th := w.AddThread(format.Thread{PID: 1, TID: i + 1})
		rng := rand.New(rand.NewPCG(11, uint64(i)))
		now := uint64(0)
		for range calls {
			d := uint64(min(max(shapes()[name](rng), 0), 1e12))
			for _, e := range []format.Event{{TimeNs: now, Kind: format.Entry}, {TimeNs: now + d, Kind: format.Return}} {
				e.SP, e.Thread, e.Func = 0x1000, th, fn
				if err := w.Append(&e); err != nil {
					t.Fatal(err)
				}
			}
			now += d + 10
		}
	}
	if err := w.Close(format.End{}); err != nil {
		t.Fatal(err)
	}
	for _, raw := range []bool{false, true} {
		opts := Options{Raw: raw}
		exact := map[string][]time.Duration{}
		if _, err := Flow(path, opts, false, func(s *Step) error {
			if s.Kind == Leave {
				exact[s.Func.Name] = append(exact[s.Func.Name], s.Duration)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		r, err := Report([]string{path}, opts)
		if err != nil {
			t.Fatal(err)
		}
		if len(names) < 20 || len(r.Rows) != len(names) {
			t.Fatalf("%d shapes, %d rows", len(names), len(r.Rows))
		}
		for i := range r.Rows {
			row := &r.Rows[i]
			values := exact[row.Name]
			slices.Sort(values)
			if len(values) != calls {
				t.Fatalf("%s: %d calls", row.Name, len(values))
			}
			for _, perMille := range []uint64{500, 900, 990, 999} {
				want := values[(perMille*calls+999)/1000-1]
				if got := row.Durations.Quantile(perMille); math.Abs(float64(got-want)) > 0.01*float64(want) {
					t.Errorf("raw %v: %s: P%v is %d, want %d", raw, row.Name, float64(perMille)/10, got, want)
				}
			}
			if row.Durations.Max() != values[calls-1] || row.Durations.Min() != values[0] {
				t.Errorf("raw %v: %s: from %d to %d, want %d to %d", raw, row.Name, row.Durations.Min(), row.Durations.Max(), values[0], values[calls-1])
			}
		}
	}
}

// A calibration of one class must not compute all others anew.
func TestCalibrationAllocations(t *testing.T) {
	all := format.Calibration{QuietNs: 1000, InterruptNs: 10}
	for i := range 1000 {
		all.Sites = append(all.Sites, format.SiteCost{Entry: fmt.Sprint(i), Return: "r", EntryNs: 10, InsideNs: 5, CallNs: 20})
	}
	list := []format.Calibration{all}
	for range 200 {
		list = append(list, format.Calibration{QuietNs: 1000, InterruptNs: 20, Sites: all.Sites[:1]})
	}
	var c costs
	n := 0
	next := func() {
		n++
		c.calibrate(list[:n])
	}
	next()
	if allocs := testing.AllocsPerRun(100, next); allocs > 30 {
		t.Errorf("%.0f allocations for a calibration of one class of 1000", allocs)
	}
}

// The cost of a hit is an estimate. It cannot come to more than the traced time of a thread, each
// by itself. One trap handles the returns of a chain of tail calls.
func TestHitsFitIntoTime(t *testing.T) {
	const text = `module {"path": "/bin/a"}
func {"name": "f", "module": 0, "addr": 1, "entry_class": "emulated", "return_class": "trampoline"}
thread {"pid": 7, "tid": 7}
thread {"pid": 7, "tid": 8}
calibration {"sites": [{"entry": "emulated", "return": "trampoline", "entry_ns": 1000, "inside_ns": 700, "call_ns": 1700}]}
flush
`
	for _, c := range []struct {
		events                string
		hits, traced, shorter time.Duration
		bounded               bool
	}{
		// 10,000 ns of a chain: two entries, the time between the returns, and a return.
		{"1 0 entry 0 sp=0x1000\n5001 0 tail-entry 0 sp=0x1000\n9901 0 return 0 sp=0x1000\n10001 0 return 0 sp=0x1000\nend {}", 2*1000 + 100 + 700, 10000, 700 + 1000 + 100, false},
		// Too little time for two calls in the one thread, much for one in the other.
		{"1 0 entry 0 sp=0x1000\n701 0 return 0 sp=0x1000\n1001 0 entry 0 sp=0x1000\n2001 0 return 0 sp=0x1000\n1 1 entry 0 sp=0x1000\n100001 1 return 0 sp=0x1000\nend {}",
			2000 + 1700, 2000 + 100000, 700 + 700 + 700, true},
	} {
		r, err := Report([]string{fromText(t, text+c.events)}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if p := &r.Trace.Probes; p.Hits != c.hits || p.Traced != c.traced || p.Subtracted != c.shorter || p.Bounded != c.bounded {
			t.Errorf("hits %d of %d, subtracted %d, bounded %v; want %d of %d, %d, %v", p.Hits, p.Traced, p.Subtracted, p.Bounded, c.hits, c.traced, c.shorter, c.bounded)
		}
	}
}
