package why

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"utrace/analyze"
	"utrace/format"
)

// story writes a trace of threads that call functions one after the other. Times are in ns.
type story struct {
	strings.Builder
	funcs map[string]int
	now   int
	depth map[int]int // by thread
}

func newStory(meta string, threads int, funcs ...string) *story {
	s := &story{funcs: map[string]int{}, depth: map[int]int{}}
	fmt.Fprintf(s, "meta %s\nmodule {\"path\": \"/bin/app\"}\n", meta)
	for i, f := range funcs {
		name, rest, _ := strings.Cut(f, ",")
		fmt.Fprintf(s, "func {\"name\": %q, \"module\": 0, \"addr\": %d%s}\n", name, 64*(i+1), rest)
		s.funcs[name] = i
	}
	fmt.Fprintln(s, `process {"pid": 7, "comm": "app"}`)
	for i := range threads {
		fmt.Fprintf(s, "thread {\"pid\": 7, \"tid\": %d, \"comm\": \"worker\"}\n", 100+i)
	}
	return s
}

// row adds a row at the current time. Its depth is the number of calls around it.
func (s *story) row(thread int, kind, name, rest string) {
	fmt.Fprintf(s, "%d %d %s %d sp=%#x%s\n", s.now, thread, kind, s.funcs[name], 0x10000-64*s.depth[thread], rest)
}

func (s *story) enter(thread int, name, rest string) {
	s.depth[thread]++
	s.row(thread, "entry", name, rest)
}

func (s *story) leave(thread int, name, rest string) {
	s.row(thread, "return", name, rest)
	s.depth[thread]--
}

// call adds a call of a function that calls nothing.
func (s *story) call(thread int, name string, ns int) {
	s.enter(thread, name, "")
	s.now += ns
	s.leave(thread, name, "")
}

// trace writes the trace to a file.
func (s *story) trace(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := format.ReadText(strings.NewReader(s.String()+"end {}\n"), f); err != nil {
		t.Fatal(err)
	}
	return path
}

func explain(t *testing.T, than string, opts analyze.Options, paths ...string) *Explanation {
	t.Helper()
	pattern, err := analyze.ParsePattern("handle")
	if err != nil {
		t.Fatal(err)
	}
	limit, err := ParseThan(than)
	if err != nil {
		t.Fatal(err)
	}
	x, err := Explain(paths, pattern, limit, opts)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// near fails unless a share is as expected.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9 {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// pathsOf returns the shares of paths by their text.
func pathsOf(x *Explanation) map[string]PathShare {
	list := map[string]PathShare{}
	for _, p := range x.Paths {
		var names []string
		for _, f := range p.Path {
			names = append(names, f.Name)
		}
		list[strings.Join(names, ">")] = p
	}
	return list
}

// 90 typical calls take 100: 40 in handle, 60 in one call of get. 10 slow calls take 500: 80 in
// handle, 60 to 80 in each of three calls of get, and 70 in each of three calls of send in these.
func TestExplainPaths(t *testing.T) {
	s := newStory("{}", 1, "handle", "get", "send")
	for i := range 100 {
		s.now += 1000
		s.enter(0, "handle", "")
		if s.now += 40; i%10 != 9 {
			s.call(0, "get", 60)
			s.leave(0, "handle", "")
			continue
		}
		for _, ns := range []int{60, 70, 80} {
			s.enter(0, "get", "")
			s.now += ns
			s.call(0, "send", 70)
			s.leave(0, "get", "")
		}
		s.now += 40
		s.leave(0, "handle", "")
	}
	x := explain(t, "200ns", analyze.Options{}, s.trace(t))
	if x.Calls != 100 || x.Slow.Calls != 10 || x.Typical.Calls != 90 || x.Slow.Mean != 500 || x.Typical.Mean != 100 || x.Difference != 400 {
		t.Fatalf("%d calls, %+v, %+v, difference %v", x.Calls, x.Slow, x.Typical, x.Difference)
	}
	paths := pathsOf(x)
	if len(paths) != 3 {
		t.Fatalf("%+v", x.Paths)
	}
	near(t, "handle", paths["handle"].Share.Part, 40.0/400)
	near(t, "handle, longer", paths["handle"].LongerCalls, 40.0/400)
	get := paths["handle>get"]
	near(t, "get", get.Share.Part, 150.0/400)
	near(t, "get, more calls", get.MoreCalls, (3-1)*(70.0+60)/2/400)
	near(t, "get, longer", get.LongerCalls, (70.0-60)*(3+1)/2/400)
	near(t, "send", paths["handle>get>send"].Share.Part, 210.0/400)
	near(t, "send, more calls", paths["handle>get>send"].MoreCalls, 210.0/400)
	if get.SlowCalls != 3 || get.TypicalCalls != 1 || get.SlowTime != 210 || get.TypicalTime != 60 {
		t.Errorf("%+v", get)
	}
	if w := x.Where; len(w.Path) != 2 || w.Path[1].Name != "get" {
		t.Errorf("%+v", w)
	}
	near(t, "where", x.Where.Share.Part, 360.0/400)
	near(t, "where, more calls", x.Where.MoreCalls, (3-1)*(140.0+60)/2/400)
	near(t, "unknown states", get.Unknown, get.Share.Part)
	if len(x.Examples) != 3 || x.Examples[0].Duration != 500 || len(x.Examples[0].Flow) != 14 {
		t.Errorf("%d examples, the first %+v", len(x.Examples), x.Examples[0])
	}
}

// Slow calls recover, and that waits. The cause is that they recover.
func TestExplainWhere(t *testing.T) {
	s := newStory("{}", 1, "handle", "recover", "wait")
	for i := range 50 {
		s.now += 1000
		s.enter(0, "handle", "")
		s.now += 20
		if i%10 == 9 {
			s.enter(0, "recover", "")
			s.call(0, "wait", 400)
			s.leave(0, "recover", "")
		}
		s.leave(0, "handle", "")
	}
	if w := explain(t, "100ns", analyze.Options{}, s.trace(t)).Where; len(w.Path) != 2 || w.Path[1].Name != "recover" || w.SlowCalls != 1 || w.TypicalCalls != 0 {
		t.Errorf("%+v", w)
	}
}

// A recursive function counts with its outermost calls. Calls that are cut off by the end of the
// trace have no duration.
func TestExplainRecursion(t *testing.T) {
	s := newStory("{}", 1, "handle")
	for i := range 40 {
		s.now += 100
		s.enter(0, "handle", "")
		s.now += 50
		for range i % 10 / 9 { // one in ten calls itself
			s.call(0, "handle", 300)
		}
		s.leave(0, "handle", "")
	}
	s.enter(0, "handle", "")
	s.now += 5000
	s.row(0, "entry", "handle", "")
	x := explain(t, "100ns", analyze.Options{}, s.trace(t))
	if x.Calls != 40 || x.Slow.Calls != 4 || x.Slow.Mean != 350 || x.Incomplete != 2 && x.Incomplete != 1 {
		t.Fatalf("%d calls, %+v, %d incomplete", x.Calls, x.Slow, x.Incomplete)
	}
	near(t, "inner calls", pathsOf(x)["handle>handle"].Share.Part, 1)
}

// Slow calls wait: 100 blocked until thread 100 wakes them, and 50 until they get a processor.
func TestExplainWaits(t *testing.T) {
	s := newStory(`{"sched": true}`, 2, "handle", "lock")
	for i := range 60 {
		s.now += 1000
		s.enter(1, "handle", "")
		s.enter(1, "lock", "")
		s.now += 10
		if i%10 == 9 {
			fmt.Fprintf(s, "%d 1 sched-out 0 value=1\n", s.now)
			fmt.Fprintf(s, "%d 1 wakeup 0 value=100\n", s.now+100)
			fmt.Fprintf(s, "%d 1 sched-in 0\n", s.now+150)
			s.now += 160
		}
		s.leave(1, "lock", "")
		s.leave(1, "handle", "")
	}
	s.call(0, "lock", 1)
	x := explain(t, "100ns", analyze.Options{}, s.trace(t))
	p := pathsOf(x)["handle>lock"]
	near(t, "blocked", p.Blocked, 100.0/160)
	near(t, "runnable", p.Runnable, 50.0/160)
	near(t, "on a processor", p.CPU, 10.0/160)
	if len(p.Wakers) != 1 || p.Wakers[0].String() != "worker 100" {
		t.Fatalf("%+v", p.Wakers)
	}
	near(t, "waker", p.Wakers[0].Part, 100.0/160)
}

// A trace with one cause each. The slow calls are about 40 of 800, with bursts 20.
func TestExplainCauses(t *testing.T) {
	handle := `handle,, "args": [{"name": "key", "type": "s32"}, {"name": "size", "type": "u64"}, {"name": "id", "type": "u64"}], "results": [{"name": "ret", "type": "s32"}]`
	for name, c := range map[string]struct {
		slow func(i, key, size int, first bool) bool
		want string
	}{
		"none":     {func(i, _, _ int, _ bool) bool { return i*7919%20 == 3 }, ""},
		"argument": {func(_, key, _ int, _ bool) bool { return key == 3 }, "key is 3"},
		"size":     {func(_, _, size int, _ bool) bool { return size >= 950 }, "size is 95"},
		"first":    {func(_, _, _ int, first bool) bool { return first }, "it was the thread's first call"},
		"failed":   {func(i, _, _ int, _ bool) bool { return i%20 == 3 }, "result ret is -1"},
		"thread":   {nil, "the thread is worker 105"},
		"other":    {nil, "collect ran on another thread"},
		"burst":    {nil, "calls of it began in the same"},
	} {
		rng := rand.New(rand.NewPCG(1, 1))
		s := newStory("{}", 60, handle, "collect")
		seen := map[int]bool{}
		for i := range 800 {
			s.now += 1_000_000
			thread, key, size, slow := rng.IntN(20), rng.IntN(20), rng.IntN(1000), false
			if name == "first" && i%20 == 0 {
				thread = 20 + i/20
			}
			collecting := false
			switch {
			case c.slow != nil:
				slow = c.slow(i, key, size, !seen[thread])
			case name == "thread":
				slow = thread == 5
			case name == "other":
				slow = rng.IntN(20) == 0
				collecting = slow
			case name == "burst":
				if slow = i%40 == 39; i%40 > 30 {
					s.now -= 950_000
				}
			}
			seen[thread] = true
			if collecting {
				s.enter(59, "collect", "")
			}
			s.enter(thread, "handle", fmt.Sprintf(" args=[%d,%d,%d]", key, size, i))
			s.now += 1000 + rng.IntN(100)
			if slow {
				s.now += 300_000 + rng.IntN(3000)
			}
			result := 0
			if name == "failed" && slow {
				result = -1
			}
			s.leave(thread, "handle", fmt.Sprintf(" args=[%d]", result))
			if collecting {
				s.leave(59, "collect", "")
			}
		}
		path := s.trace(t)
		x := explain(t, "200us", analyze.Options{}, path)
		if again := explain(t, "200us", analyze.Options{}, path); !reflect.DeepEqual(x.Causes, again.Causes) || !reflect.DeepEqual(x.Paths, again.Paths) {
			t.Errorf("%s: %+v, the second time %+v", name, x.Causes, again.Causes)
		}
		switch {
		case c.want == "" && len(x.Causes) > 0:
			t.Errorf("%s: %+v", name, x.Causes)
		case c.want != "" && (len(x.Causes) != 1 || !strings.Contains(x.Causes[0].String(), c.want)):
			t.Errorf("%s: want %q, got %+v", name, c.want, x.Causes)
		case c.want != "" && (x.Causes[0].Share.Part < 0.7 || x.Unexplained > 0.3 || x.Causes[0].Share.Low > x.Causes[0].Share.Part):
			t.Errorf("%s: %+v, %v unexplained", name, x.Causes[0], x.Unexplained)
		}
	}
}

// One of two threads, or processors, has more of the slow calls, and half of the others. A processor
// needs nearly all of them to be a cause.
func TestExplainOdds(t *testing.T) {
	for _, c := range []struct {
		cause CauseKind
		slow  [2]int // of a hundred calls on each
		want  bool
	}{{CauseThread, [2]int{5, 14}, false}, {CauseThread, [2]int{1, 5}, true}, {CauseCPU, [2]int{1, 5}, false}, {CauseCPU, [2]int{0, 5}, true}} {
		rng := rand.New(rand.NewPCG(1, 1))
		s := newStory("{}", 2, "handle")
		for range 5000 {
			s.now += 1_000_000
			at, thread, cpu, ns := rng.IntN(2), 0, 0, 1000+rng.IntN(100)
			if rng.IntN(100) < c.slow[at] {
				ns += 300_000
			}
			if c.cause == CauseCPU {
				cpu = at
			} else {
				thread = at
			}
			s.enter(thread, "handle", fmt.Sprintf(" cpu=%d", cpu))
			s.now += ns
			s.leave(thread, "handle", fmt.Sprintf(" cpu=%d", cpu))
		}
		x := explain(t, "200us", analyze.Options{}, s.trace(t))
		if found := len(x.Causes) == 1 && x.Causes[0].Kind == c.cause; found != c.want {
			t.Errorf("%s %v: %+v", c.cause, c.slow, x.Causes)
		}
	}
}

// Calls that take longer and longer are slow at the end.
func TestExplainTrend(t *testing.T) {
	s := newStory("{}", 1, "handle")
	for i := range 1000 {
		s.now += 1000
		s.call(0, "handle", 1000+100*i)
	}
	x := explain(t, "P95", analyze.Options{}, s.trace(t))
	if len(x.Causes) != 1 || x.Causes[0].Kind != CauseTrend || x.Causes[0].Below || x.Causes[0].Share.Part < 0.8 {
		t.Errorf("%+v", x.Causes)
	}
}

// The calls of a new trace take 300 longer: 200 in two more calls of get, 100 in handle. The other
// way around, they take less.
func TestExplainChange(t *testing.T) {
	write := func(gets, own int) string {
		s := newStory("{}", 1, "handle", "get")
		for range 50 {
			s.now += 1000
			s.enter(0, "handle", "")
			s.now += own
			for range gets {
				s.call(0, "get", 100)
			}
			s.leave(0, "handle", "")
		}
		return s.trace(t)
	}
	old, changed := write(1, 100), write(3, 200)
	pattern, err := analyze.ParsePattern("handle")
	if err != nil {
		t.Fatal(err)
	}
	for _, faster := range []bool{false, true} {
		before, after := []string{old}, []string{changed, changed}
		if faster {
			before, after = after, before
		}
		x, err := ExplainChange(before, after, pattern, analyze.Options{})
		if err != nil || !x.Change || x.Faster != faster || x.Difference != 300 || x.Slow.Calls != 100 || x.Typical.Calls != 50 || len(x.Causes) > 0 {
			t.Fatalf("%v, %+v", err, x)
		}
		near(t, "get", pathsOf(x)["handle>get"].Share.Part, 200.0/300)
		near(t, "more calls of get", pathsOf(x)["handle>get"].MoreCalls, 200.0/300)
		near(t, "handle", pathsOf(x)["handle"].Share.Part, 100.0/300)
	}
}

// In a survey, only calls whose callees were probed have paths: those in whole windows. handle is
// probed all the time, get in the windows. Slow calls take longer in get.
func TestExplainSurvey(t *testing.T) {
	s := newStory(`{"max_overhead_percent": 5}`, 1, "handle", "get")
	fmt.Fprintln(s, `probe-set {"funcs": [0]}
probe-set {"funcs": [0, 1]}
survey {"module": 0, "funcs": 2, "cpu_ns": 100000, "cost_ns": 100}`)
	for i := range 100 {
		s.now = 1000*i + 500
		s.enter(0, "handle", "")
		ns := 100 + i%10/9*400
		if i%20 >= 10 { // in a window
			s.call(0, "get", ns)
		} else {
			s.now += ns
		}
		s.leave(0, "handle", "")
	}
	window := func(set int, all bool, from, to int) {
		fmt.Fprintf(s, `window {"set": %d, "all": %v, "from_ns": %d, "to_ns": %d, "off_ns": %d, "cpu_ns": 10000}`+"\n", set, all, from, to, to)
	}
	for at := 0; at < 100_000; at += 20_000 {
		window(0, false, at, at+9_999)
		window(1, true, at+9_999, at+20_000)
	}
	x := explain(t, "200ns", analyze.Options{}, s.trace(t))
	if x.Calls != 100 || x.Slow.Calls != 10 || x.SlowCompared != 5 || x.TypicalCompared != 45 {
		t.Fatalf("%d calls, %d slow; %d and %d compared", x.Calls, x.Slow.Calls, x.SlowCompared, x.TypicalCompared)
	}
	near(t, "get", pathsOf(x)["handle>get"].Share.Part, 1)
}

// Calls that are nearly alike are all slow if P99 lies in their middle.
func TestExplainCluster(t *testing.T) {
	s := newStory("{}", 1, "handle")
	for i := range 1000 {
		s.now += 1000
		if ns := 10_000; i%50 == 0 {
			s.call(0, "handle", 50*ns+i)
		} else {
			s.call(0, "handle", ns+i)
		}
	}
	if x := explain(t, "P99", analyze.Options{}, s.trace(t)); x.Slow.Calls != 20 {
		t.Errorf("%+v", x.Slow)
	}
}

// Without calls, or without slow ones, there is nothing to explain.
func TestExplainNothing(t *testing.T) {
	s := newStory("{}", 1, "handle", "other")
	s.call(0, "other", 5)
	if x := explain(t, "P99", analyze.Options{}, s.trace(t)); x.Calls != 0 || len(x.Warnings) == 0 {
		t.Errorf("%+v", x)
	}
	for range 10 {
		s.now += 10
		s.call(0, "handle", 100)
	}
	if x := explain(t, "P99", analyze.Options{}, s.trace(t)); x.Calls != 10 || x.Slow.Calls != 0 || x.Typical.Calls != 10 {
		t.Errorf("all calls are alike: %+v", x)
	}
	if x := explain(t, "1ms", analyze.Options{}, s.trace(t)); x.Calls != 10 || x.Slow.Calls != 0 || x.Difference != 0 || len(x.Causes) != 0 {
		t.Errorf("%+v", x)
	}
}

func TestParseThan(t *testing.T) {
	for text, want := range map[string]Than{"P99": {perMille: 990}, "p99.9": {perMille: 999}, "P90": {perMille: 900}, "1.5ms": {duration: 1500 * time.Microsecond}} {
		if got, err := ParseThan(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "P", "P75", "P100", "P99.99", "P-1", "PNaN", "-1ms", "0s", "1", "fast"} {
		if got, err := ParseThan(text); err == nil {
			t.Errorf("%s: %+v", text, got)
		}
	}
}
