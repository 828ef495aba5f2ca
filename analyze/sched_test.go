package analyze

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"utrace/format"
)

// schedModel runs one thread that calls functions and waits. It records the thread's state in each
// nanosecond, and counts.
type schedModel struct {
	rng   *rand.Rand
	batch format.Batch
	lines []byte // by nanosecond: state of the thread
	stack []schedCall
	total map[uint32]Waits // by function, of outermost calls
	self  map[uint32]Waits
	row   int // time of the last row
}

type schedCall struct {
	fn       uint32
	from     int
	children Waits
}

func (m *schedModel) pass(ns int, state byte) {
	for range ns {
		m.lines = append(m.lines, state)
	}
}

func (m *schedModel) add(kind format.Kind, fn uint32, value uint64) {
	depth := uint32(0)
	if !kind.IsSched() {
		depth = uint32(len(m.stack)) * 16
	}
	b := &m.batch
	b.DeltaNs = append(b.DeltaNs, uint32(len(m.lines)-m.row))
	m.row = len(m.lines)
	b.Kind, b.Func, b.StackBytes, b.Value = append(b.Kind, uint8(kind)), append(b.Func, fn), append(b.StackBytes, depth), append(b.Value, value)
}

// count counts the states of the thread since a moment.
func (m *schedModel) count(from int) (w Waits) {
	for _, state := range m.lines[from:] {
		switch state {
		case 'r':
			w.Runnable++
		case 'b':
			w.Blocked++
		}
	}
	return w
}

func (m *schedModel) call() {
	fn := m.rng.Uint32N(3)
	m.stack = append(m.stack, schedCall{fn: fn, from: len(m.lines)})
	m.add(format.Entry, fn, 0)
}

func (m *schedModel) ret() {
	n := len(m.stack) - 1
	c := m.stack[n]
	m.add(format.Return, c.fn, 0)
	m.stack = m.stack[:n]
	w := m.count(c.from)
	self := m.self[c.fn]
	self.Add(w.minus(c.children))
	m.self[c.fn] = self
	if n > 0 {
		m.stack[n-1].children.Add(w)
	}
	for _, outer := range m.stack {
		if outer.fn == c.fn {
			return
		}
	}
	total := m.total[c.fn]
	total.Add(w)
	m.total[c.fn] = total
}

func (m *schedModel) wait() {
	preempted, early := m.rng.IntN(3) == 0, m.rng.IntN(4) == 0
	if early { // it is about to sleep, or gives that up
		m.add(format.Wakeup, 0, 7)
		m.pass(m.rng.IntN(3), 'c')
		if m.rng.IntN(2) == 0 {
			return
		}
	}
	blocked := 0
	if preempted {
		m.add(format.SchedOut, 0, 0)
	} else {
		m.add(format.SchedOut, 0, 2)
		if !early {
			blocked = m.rng.IntN(50)
		}
	}
	m.pass(blocked, 'b')
	if !preempted && !early {
		m.add(format.Wakeup, 0, 7)
	}
	m.pass(m.rng.IntN(20), 'r')
	m.add(format.SchedIn, 0, 0)
}

// The waits of calls are equal to a count of each nanosecond, also in recursions.
func TestSchedAgainstCount(t *testing.T) {
	for seed := range uint64(200) {
		m := &schedModel{rng: rand.New(rand.NewPCG(seed, 1)), total: map[uint32]Waits{}, self: map[uint32]Waits{}}
		for range 300 {
			m.pass(1+m.rng.IntN(5), 'c')
			switch n := m.rng.IntN(4); {
			case n == 0 && len(m.stack) < 8:
				m.call()
			case n == 1 && len(m.stack) > 0:
				m.ret()
			default:
				m.wait()
			}
		}
		m.pass(1, 'c') // an early wakeup of a sleep that was given up, then a call
		for len(m.stack) > 0 {
			m.ret()
		}
		l := &latency{opts: &Options{}}
		p := newPairer(l)
		p.sched = true
		p.define(make([]format.Func, 3))
		th := &thread{base: 1 << 40, process: &format.Process{}}
		p.process(th, &m.batch, 0, len(m.batch.Kind))
		for fn := range uint32(3) {
			s := l.of(th, fn)
			if s.Waits != m.total[fn] || s.SelfWaits != m.self[fn] {
				t.Fatalf("seed %d, function %d: %+v, self %+v; want %+v, self %+v", seed, fn, s.Waits, s.SelfWaits, m.total[fn], m.self[fn])
			}
			if s.CPU()+s.Waits.Runnable+s.Waits.Blocked != s.Total {
				t.Fatalf("seed %d, function %d: the parts are not the whole", seed, fn)
			}
		}
	}
}

// schedTrace has one call for each possible error; the function has the error's name.
const schedTrace = `
meta {"recorder":"test","host":"h","kernel":"6.18","arch":"amd64","cpus":2,"sched":%t,"start":{"mono_ns":0,"wall_ns":0}}
module {"path":"/bin/prog"}
func {"name":"blocked","module":0,"addr":1}
func {"name":"no-return","module":0,"addr":2}
func {"name":"no-out","module":0,"addr":3}
func {"name":"lost","module":0,"addr":4}
func {"name":"after","module":0,"addr":5}
func {"name":"given-up","module":0,"addr":6}
process {"pid":1,"comm":"prog"}
thread {"pid":1,"tid":1,"comm":"prog"}
thread {"pid":1,"tid":2,"comm":"prog","goroutine":5}
1000 0 entry 0 sp=0x1000
1100 0 sched-out 0 value=1
1400 0 wakeup 0 value=0x100000000
1500 0 sched-in 0
1600 0 return 0 sp=0x1000
2000 0 entry 1 sp=0x1000
2100 0 sched-out 0 value=1
2400 0 wakeup 0 value=9
2600 0 return 1 sp=0x1000
3000 0 entry 2 sp=0x1000
3100 0 sched-in 0
3500 0 return 2 sp=0x1000
flush
loss {"cpu":0,"first_ns":4200,"last_ns":4250,"entries":0,"returns":0,"sched":2}
loss {"cpu":1,"first_ns":100,"last_ns":9900,"entries":4,"returns":0}
4000 0 entry 3 sp=0x1000
4100 0 sched-out 0 value=1
4300 0 wakeup 0 value=9
4400 0 sched-in 0
4600 0 return 3 sp=0x1000
5000 0 entry 4 sp=0x1000
5100 0 sched-out 0
5300 0 sched-in 0
5400 0 return 4 sp=0x1000
5900 0 wakeup 0 value=9
6000 0 entry 5 sp=0x1000
6100 0 sched-out 0 value=1
6300 0 sched-in 0
6400 0 return 5 sp=0x1000
1000 1 entry 0 sp=0x1000
1700 1 return 0 sp=0x1000
flush
`

// Unknown time counts as nothing else, and ends when the state is known again.
func TestSchedUnknown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.arrow")
	writeText(t, path, fmt.Sprintf(schedTrace, true))
	r, err := Report([]string{path}, Options{TIDs: []int{1}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Waits{
		"blocked":   {Runnable: 100, Blocked: 300},
		"no-return": {Blocked: 300, Unknown: 200}, // the wakeup is known
		"no-out":    {Unknown: 100},
		"lost":      {Unknown: 300},
		"after":     {Runnable: 200},
		"given-up":  {Blocked: 200}, // a wakeup before the call does not count
	}
	for i := range r.Rows {
		if row := &r.Rows[i]; row.Waits != want[row.Name] || row.SelfWaits != want[row.Name] {
			t.Errorf("%s: %+v, self %+v, want %+v", row.Name, row.Waits, row.SelfWaits, want[row.Name])
		}
	}
	if len(r.Rows) != len(want) || r.Trace.Switches != 5 || len(r.Warnings) != 4 {
		t.Errorf("%d functions, %d switches, %q", len(r.Rows), r.Trace.Switches, r.Warnings)
	}
	r, err = Report([]string{path}, Options{TIDs: []int{2}})
	if err != nil || len(r.Rows) != 1 || r.Rows[0].Waits != (Waits{Unknown: 700}) {
		t.Errorf("goroutine: %+v, %v", r, err)
	}
}

// If one of two traces lacks the scheduler, its times are unknown.
func TestSchedInOneOfTwo(t *testing.T) {
	dir := t.TempDir()
	with, without := filepath.Join(dir, "with.arrow"), filepath.Join(dir, "without.arrow")
	writeText(t, with, fmt.Sprintf(schedTrace, true))
	writeText(t, without, fmt.Sprintf(schedTrace, false))
	opts := Options{TIDs: []int{1}}
	r, err := Report([]string{with, without}, opts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Rows {
		if row := &r.Rows[i]; row.Name == "blocked" && row.Waits != (Waits{Runnable: 100, Blocked: 300, Unknown: 600}) {
			t.Errorf("%+v", row.Waits)
		}
	}
	p, _, err := Profile([]string{with, without}, opts)
	if err != nil {
		t.Fatal(err)
	}
	var sum [4]int64
	for _, s := range p.Sample {
		for i, v := range s.Value {
			sum[i] += v
		}
	}
	// 12 calls; the times of the first trace are 600, 600, 500, 600, 400, 400.
	if want := [4]int64{12, 2 * 3100, 3100 - 1700, 100 + 300 + 300 + 200 + 200}; sum != want {
		t.Errorf("profile %v, want %v", sum, want)
	}
	if p, _, err = Profile([]string{without}, opts); err != nil || len(p.SampleType) != 2 {
		t.Errorf("without: %v, %v", p.SampleType, err)
	}
}

// The flow shows waits in calls, and who ended them.
func TestSchedSteps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.arrow")
	writeText(t, path, fmt.Sprintf(schedTrace, true))
	var got []string
	if _, err := Flow(path, Options{}, false, func(s *Step) error {
		if s.Kind == Waited {
			got = append(got, fmt.Sprint(int64(s.At), s.Depth, int64(s.Duration), int64(s.Wait.Blocked), " ", s.Wait.Waker))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{"1500 1 400 300 woken by an interrupt", "3100 1 100 0 ", "4400 1 300 0 ", "5300 1 200 0 ", "6300 1 200 200 "}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// Windows of losses are joined, whatever order they come in.
func TestSwitchLosses(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	l := lossWindows{of: ofSwitches}
	var lost [1000]bool
	var list []format.Loss
	for range 60 {
		for range rng.IntN(3) {
			first := rng.Uint64N(950)
			last := first + rng.Uint64N(8)
			list = append(list, format.Loss{FirstNs: first, LastNs: last, Sched: 1})
			for ns := first; ns <= last; ns++ {
				lost[ns] = true
			}
		}
		l.add(list)
		from := rng.IntN(900)
		to := from + rng.IntN(20)
		want := false
		for _, is := range lost[from : to+1] {
			want = want || is
		}
		if l.touch(int64(from), int64(to)) != want {
			t.Fatalf("%d to %d: want %v of %v", from, to, want, l.list)
		}
	}
}

// The longest time that a call was blocked may lie in its callees.
func TestLongestWait(t *testing.T) {
	var s sched
	s.losses = new(lossWindows)
	sleep := func(from, to int64, waker uint64) {
		s.row(from, format.SchedOut, 1)
		s.row(to, format.Wakeup, waker)
		s.row(to, format.SchedIn, 0)
	}
	s.reach(0)
	s.push()
	sleep(10, 20, 1)
	s.reach(30)
	s.push()
	sleep(40, 80, 2)
	s.pop(Complete)
	s.reach(90)
	s.push()
	sleep(91, 93, 3)
	if got := s.longest(); got.Waker.TID != 3 {
		t.Errorf("inside: %+v", got)
	}
	s.pop(Unwound)
	if got := s.longest(); got.Blocked != 40*time.Nanosecond || got.Waker.TID != 2 {
		t.Errorf("outside: %+v", got)
	}
}

// A slow call has the parts of its time, and who ended its longest wait.
func TestSchedSlowest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.arrow")
	for _, recorded := range []bool{true, false} {
		writeText(t, path, fmt.Sprintf(schedTrace, recorded))
		pattern, err := ParsePattern("blocked")
		if err != nil {
			t.Fatal(err)
		}
		s, err := Slowest([]string{path}, 1, Options{TIDs: []int{1}, Function: pattern})
		if err != nil || len(s.Calls) != 1 {
			t.Fatal(s, err)
		}
		c := s.Calls[0]
		want := SlowCall{Sched: recorded}
		if recorded {
			want.Waits = Waits{Runnable: 100, Blocked: 300}
			want.Longest = Wait{Waits: want.Waits, Waker: Waker{Known: true, Interrupt: true}}
		}
		if c.Sched != want.Sched || c.Waits != want.Waits || c.Longest != want.Longest {
			t.Errorf("%v %+v %+v, want %v %+v %+v", c.Sched, c.Waits, c.Longest, want.Sched, want.Waits, want.Longest)
		}
	}
}
