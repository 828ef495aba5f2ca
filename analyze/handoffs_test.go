package analyze

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// handoffDefs defines three threads, and two functions whose calls cost 400 ns each: 300 of the
// entry, 100 of the return. 100 ns of it are in the call's own duration.
const handoffDefs = `meta {"sched":true}
module {"path":"/bin/prog"}
func {"name":"request","module":0,"addr":1,"entry_class":"emulated","return_class":"trampoline"}
func {"name":"step","module":0,"addr":2,"entry_class":"emulated","return_class":"trampoline"}
func {"name":"point","module":0,"addr":3,"hit":true,"entry_class":"emulated"}
calibration {"quiet_ns":100,"sites":[{"entry":"emulated","entry_ns":300},{"entry":"emulated","return":"trampoline","entry_ns":300,"inside_ns":100,"call_ns":400}]}
process {"pid":1,"comm":"prog"}
thread {"pid":1,"tid":1,"comm":"client"}
thread {"pid":1,"tid":2,"comm":"server"}
thread {"pid":1,"tid":3,"comm":"relay"}
`

// stepCalls are calls of step, each 1 us long, one every period.
func stepCalls(thread, from, n, period int) string {
	var b strings.Builder
	for i := range n {
		at := from + i*period
		fmt.Fprintf(&b, "%d %d entry 1 sp=0x100\n%d %d return 1 sp=0x100\n", at, thread, at+1000, thread)
	}
	return b.String()
}

// inOrder puts lines of events in order of time.
func inOrder(events string) string {
	lines := strings.Split(strings.TrimSpace(events), "\n")
	at := func(line string) (ns int) {
		fmt.Sscan(line, &ns)
		return ns
	}
	slices.SortStableFunc(lines, func(a, b string) int { return at(a) - at(b) })
	return strings.Join(lines, "\n") + "\n"
}

// A wait is shorter by what the thread that ended it spent in probes meanwhile, and by what that
// one waited for probes itself. It is not longer than it was, and not negative. The runnable part
// stays.
func TestAwaitedProbes(t *testing.T) {
	const request = "100000 0 entry 0 sp=0x1000\n101000 0 sched-out 0 value=0x1\n201000 0 wakeup 0 value=%s\n203000 0 sched-in 0\n204000 0 return 0 sp=0x1000\n"
	server := stepCalls(1, 10000, 3, 2000) + stepCalls(1, 110000, 30, 3000) + stepCalls(1, 210000, 3, 2000)
	for name, c := range map[string]struct {
		events  string
		awaited time.Duration
		marked  bool
	}{
		"the waker's hits":   {fmt.Sprintf(request, "2") + server, 30 * 400, false},
		"packet on loopback": {fmt.Sprintf(request, "0x300000002") + server, 30 * 400, false},
		"interrupt":          {fmt.Sprintf(request, "0x100000002") + server, 0, true},
		"a sleep":            {fmt.Sprintf(request, "0x900000002") + server, 0, false},
		"a device":           {strings.Replace(fmt.Sprintf(request, "0x100000002"), "0x1\n", "0x2\n", 1) + server, 0, false},
		"another program":    {fmt.Sprintf(request, "99") + server, 0, true},
		"few hits":           {fmt.Sprintf(request, "99") + stepCalls(1, 110000, 10, 4000), 0, false},
		"waker without hits": {fmt.Sprintf(request, "2") + "10000 1 entry 0 sp=0x1000\n" + stepCalls(2, 110000, 20, 4000), 0, false},
		"hits before it waits": {
			fmt.Sprintf(request, "2") + stepCalls(1, 50000, 5, 4000) + stepCalls(1, 110000, 1, 4000), 400, false},
		"more than the time": {fmt.Sprintf(request, "2") + strings.Repeat("150000 1 hit 2\n", 1000), 100_000, false},
		"by way of another": {
			fmt.Sprintf(request, "3") + stepCalls(2, 102000, 2, 2000) +
				"106000 2 sched-out 0 value=0x1\n190000 2 wakeup 0 value=2\n191000 2 sched-in 0\n" + stepCalls(2, 192000, 2, 2000) +
				stepCalls(1, 108000, 15, 4000), (4 + 15) * 400, false},
		"by way of one that waited before": {
			fmt.Sprintf(request, "3") + "20000 2 entry 0 sp=0x1000\n21000 2 sched-out 0 value=0x1\n190000 2 wakeup 0 value=2\n191000 2 sched-in 0\n" +
				"30000 1 entry 0 sp=0x1000\n" + stepCalls(1, 50000, 5, 4000) + stepCalls(1, 108000, 15, 4000), 15 * 400, false},
	} {
		r, err := Report([]string{writeTrace(t, handoffDefs+inOrder(c.events)+"end {}\n")}, Options{TIDs: []int{1}})
		if err != nil {
			t.Fatal(err)
		}
		row := &r.Rows[0]
		want := Stats{Total: 104000 - 100 - c.awaited, Waits: Waits{Blocked: 100000 - c.awaited, Runnable: 2000}}
		if row.Name != "request" || row.Total != want.Total || row.Self != want.Total || row.Waits != want.Waits || row.AwaitsProbes != c.marked {
			t.Errorf("%s: %s %d, self %d, %+v, marked %v; want %d, %+v, %v", name, row.Name, row.Total, row.Self, row.Waits, row.AwaitsProbes, want.Total, want.Waits, c.marked)
		}
		p := &r.Trace.Probes
		if p.Awaited != c.awaited || p.Hits != 400 || p.Subtracted != 100+c.awaited {
			t.Errorf("%s: awaited %d, hits %d, subtracted %d", name, p.Awaited, p.Hits, p.Subtracted)
		}
	}
}

// A thread that can run waits for the probes of the thread on its processor, if that one then
// blocks or has just woken up another one. It does not if that one is pre-empted, runs elsewhere,
// or is not the one that leaves.
func TestAwaitedProcessor(t *testing.T) {
	const request = `100000 0 entry 0 sp=0x1000
101000 0 sched-out 0 cpu=1 value=0x1
102000 0 wakeup 0 cpu=1 value=2
203000 0 sched-in 0 cpu=1
204000 0 return 0 sp=0x1000
`
	server := stepCalls(1, 10000, 3, 2000) + stepCalls(1, 110000, 30, 3000)
	for name, c := range map[string]struct {
		events  string
		awaited time.Duration
	}{
		"it blocks":           {"203000 1 sched-out 0 cpu=1 value=0x1\n", 30 * 400},
		"it makes way":        {"150000 2 entry 0 sp=0x1000\n151000 2 sched-out 0 cpu=2 value=0x1\n190000 2 wakeup 0 cpu=1 value=2\n203000 1 sched-out 0 cpu=1\n", 30 * 400},
		"it has woken before": {"150000 2 entry 0 sp=0x1000\n151000 2 sched-out 0 cpu=2 value=0x1\n180000 2 wakeup 0 cpu=1 value=2\n203000 1 sched-out 0 cpu=1\n", 0},
		"it is pre-empted":    {"203000 1 sched-out 0 cpu=1\n", 0},
		"it runs elsewhere":   {"203000 1 sched-out 0 cpu=2 value=0x1\n", 0},
		"another one leaves":  {"150000 2 entry 0 sp=0x1000\n203000 2 sched-out 0 cpu=1 value=0x1\n", 300},
	} {
		r, err := Report([]string{writeTrace(t, handoffDefs+inOrder(request+server+c.events)+"end {}\n")}, Options{TIDs: []int{1}})
		if err != nil {
			t.Fatal(err)
		}
		row := &r.Rows[0]
		want := Waits{Blocked: 1000, Runnable: 101000 - c.awaited}
		if row.Waits != want || row.Total != 104000-100-c.awaited || row.AwaitsProbes || r.Trace.Probes.Awaited != c.awaited {
			t.Errorf("%s: %d, %+v, awaited %d; want %+v, awaited %d", name, row.Total, row.Waits, r.Trace.Probes.Awaited, want, c.awaited)
		}
	}
}

// A goroutine waits for the probes of the one that makes it ready. If the runtime does, or nobody
// does as far as the trace has it, that is unknown.
func TestAwaitedGoroutine(t *testing.T) {
	defs := strings.NewReplacer(`"tid":1`, `"tid":9,"goroutine":1`, `"tid":2`, `"tid":9,"goroutine":2`).Replace(handoffDefs)
	const request = "100000 0 entry 0 sp=0x1000\n101000 0 sched-out 0 value=0x1\n%s204000 0 return 0 sp=0x1000\n"
	server := stepCalls(1, 10000, 3, 2000) + stepCalls(1, 110000, 30, 3000)
	for name, c := range map[string]struct {
		wakeup  string
		awaited time.Duration
		marked  bool
	}{
		"a goroutine": {"201000 0 wakeup 0 value=0x400000002\n", 30 * 400, false},
		"the runtime": {"201000 0 wakeup 0 value=0x100000000\n", 0, true},
		"the network": {"", 0, true},
	} {
		r, err := Report([]string{writeTrace(t, defs+inOrder(fmt.Sprintf(request, c.wakeup)+server)+"end {}\n")}, Options{Flows: []string{"g1"}})
		if err != nil {
			t.Fatal(err)
		}
		row := &r.Rows[0]
		if want := 104000 - 100 - c.awaited; row.Total != want || row.Self != want || row.Waits.Unknown != want || row.AwaitsProbes != c.marked {
			t.Errorf("%s: %d, self %d, %+v, marked %v; want %d, %v", name, row.Total, row.Self, row.Waits, row.AwaitsProbes, want, c.marked)
		}
	}
}

// Whatever happens, the self times of a thread add up to its outermost calls as measured, less what
// was subtracted. Nothing is negative, no call is longer than measured, and the parts of a time are
// the whole.
func TestAwaitedAddsUp(t *testing.T) {
	awaited := time.Duration(0)
	for seed := range uint64(60) {
		path := writeTrace(t, handoffDefs+inOrder(randomHandoffs(rand.New(rand.NewPCG(seed, 5))))+"end {}\n")
		for tid := 1; tid <= 3; tid++ {
			opts := Options{TIDs: []int{tid}}
			r, err := Report([]string{path}, opts)
			if err != nil {
				t.Fatal(err)
			}
			opts.Raw = true
			raw, err := Report([]string{path}, opts)
			if err != nil {
				t.Fatal(err)
			}
			measured, self := map[string]time.Duration{}, time.Duration(0)
			for i := range raw.Rows {
				measured[raw.Rows[i].Name] = raw.Rows[i].Total
			}
			for i := range r.Rows {
				row := &r.Rows[i]
				self += row.Self
				if row.Total > measured[row.Name] || row.Self < 0 || row.Waits.Blocked < 0 || row.Waits.Runnable < 0 || row.CPU()+row.Waits.sum() != row.Total {
					t.Errorf("seed %d, thread %d, %s: %d of %d, self %d, %+v", seed, tid, row.Name, row.Total, measured[row.Name], row.Self, row.Waits)
				}
			}
			p := &r.Trace.Probes
			if self != p.Inside-p.Subtracted || p.Inside != raw.Trace.Probes.Inside {
				t.Errorf("seed %d, thread %d: self times %d, inside %d, subtracted %d", seed, tid, self, p.Inside, p.Subtracted)
			}
			awaited += p.Awaited
		}
	}
	if awaited == 0 {
		t.Error("nothing was awaited")
	}
}

// randomHandoffs are events of three threads on two processors that call, wait, and wake each
// other.
func randomHandoffs(rng *rand.Rand) string {
	var b strings.Builder
	type state struct {
		depth        int
		off, blocked bool
	}
	threads := make([]state, 3)
	for now := 1000; now < 300_000; now += 1 + rng.IntN(1500) {
		id := rng.IntN(len(threads))
		t := &threads[id]
		switch n := rng.IntN(8); {
		case t.off && t.blocked && n < 3:
			fmt.Fprintf(&b, "%d %d wakeup 0 value=%#x\n", now, id, []int{1, 2, 3, 99, 1 << 32}[rng.IntN(5)])
			t.blocked = false
		case t.off && (!t.blocked || n == 3):
			other := rng.IntN(len(threads))
			if rng.IntN(2) == 0 && !threads[other].off {
				fmt.Fprintf(&b, "%d %d sched-out 0 cpu=%d value=%#x\n", now, other, id%2, other)
				threads[other].off, threads[other].blocked = true, other != 0
			}
			fmt.Fprintf(&b, "%d %d sched-in 0 cpu=%d\n", now, id, id%2)
			t.off = false
		case t.off:
		case n < 4 && t.depth < 4:
			t.depth++
			fmt.Fprintf(&b, "%d %d entry %d sp=%#x\n", now, id, rng.IntN(2), 0x1000-16*t.depth)
		case n < 7 && t.depth > 0:
			// Whichever function it is: the wrong one is an orphan.
			fmt.Fprintf(&b, "%d %d return %d sp=%#x\n", now, id, rng.IntN(2), 0x1000-16*t.depth)
			t.depth--
		default:
			t.off, t.blocked = true, rng.IntN(3) > 0
			value := 0
			if t.blocked {
				value = 1
			}
			fmt.Fprintf(&b, "%d %d sched-out 0 cpu=%d value=%#x\n", now, id, id%2, value)
		}
	}
	return b.String()
}
