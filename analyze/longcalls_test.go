package analyze

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"utrace/format"
)

// longCall is a call in a flow.
type longCall struct {
	thread     format.ThreadID
	fn         string
	at         time.Duration // of its end
	start      time.Duration
	duration   time.Duration
	depth      int
	incomplete bool
}

func flowCalls(t *testing.T, path string, opts Options) []longCall {
	t.Helper()
	var calls []longCall
	open := map[format.ThreadID][]time.Duration{}
	last := time.Duration(0)
	_, err := Flow(path, opts, false, func(s *Step) error {
		if s.At < last && s.State != Open {
			return fmt.Errorf("%v after %v", s.At, last)
		}
		last = s.At
		stack := open[s.ThreadID]
		switch s.Kind {
		case Enter:
			if s.Depth != len(stack) {
				return fmt.Errorf("depth %d, want %d", s.Depth, len(stack))
			}
			open[s.ThreadID] = append(stack, s.At)
		case Leave:
			start := stack[len(stack)-1]
			open[s.ThreadID] = stack[:len(stack)-1]
			calls = append(calls, longCall{s.ThreadID, s.Func.Name, s.At, start, s.Duration, s.Depth, s.State != Complete})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return calls
}

// TestMin: all views select the complete calls of at least that duration. A flow and a tree also
// show the calls around them.
func TestMin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	writeCalls(t, path, 100_000, 3)
	all := flowCalls(t, path, Options{})
	for _, min := range []time.Duration{1, 700, 5_000, time.Minute} {
		opts := Options{Min: min}
		var want []longCall
		calls, total := map[string]uint64{}, time.Duration(0)
		for _, c := range all {
			if c.incomplete || c.duration < min {
				continue
			}
			want = append(want, c)
			calls[c.fn]++
			total += c.duration
		}
		got := flowCalls(t, path, opts)
		for _, c := range got {
			if c.incomplete && !slices.ContainsFunc(want, func(w longCall) bool {
				return w.thread == c.thread && w.start >= c.start && w.at <= c.at && w.depth > c.depth
			}) {
				t.Errorf("min %v: %+v has no long call inside", min, c)
			}
		}
		got = slices.DeleteFunc(got, func(c longCall) bool { return c.incomplete })
		if !slices.Equal(got, want) {
			t.Fatalf("min %v: %d calls in the flow, want %d", min, len(got), len(want))
		}
		r, err := Report([]string{path}, opts)
		if err != nil {
			t.Fatal(err)
		}
		sum := time.Duration(0)
		for i := range r.Rows {
			row := &r.Rows[i]
			if row.Calls != calls[row.Name] || row.Durations.Count() != row.Calls || row.Incomplete != 0 {
				t.Errorf("min %v: %s has %d calls, want %d", min, row.Name, row.Calls, calls[row.Name])
			}
			delete(calls, row.Name)
			sum += row.Durations.Sum()
		}
		if len(calls) > 0 || sum != total {
			t.Errorf("min %v: %v is not in the report; %v in all, want %v", min, calls, sum, total)
		}
		tree, err := CallTree([]string{path}, opts)
		if err != nil {
			t.Fatal(err)
		}
		if n, leaves := treeCalls(tree.Threads, min); n != uint64(len(want)) || leaves > 0 {
			t.Errorf("min %v: %d calls in the tree, want %d; %d leaves without", min, n, len(want), leaves)
		}
		d, others, err := Durations([]string{path}, opts, nil)
		if err != nil || d.Count() != uint64(len(want)) || d.Sum() != total || others != 0 {
			t.Errorf("min %v: %d durations of %v, and %d: %v", min, d.Count(), d.Sum(), others, err)
		}
		if nothing := slices.ContainsFunc(r.Warnings, func(w Warning) bool { return strings.Contains(w.Text, "no call matches") }); nothing != (len(want) == 0) {
			t.Errorf("min %v: warnings %q", min, r.Warnings)
		}
	}
}

// treeCalls counts the calls of a tree, and the leaves that have none.
func treeCalls(threads []ThreadTree, min time.Duration) (calls, leaves uint64) {
	var walk func([]*Node)
	walk = func(nodes []*Node) {
		for _, n := range nodes {
			calls += n.Calls
			if n.Calls == 0 && len(n.Children) == 0 {
				leaves++
			}
			walk(n.Children)
		}
	}
	for _, th := range threads {
		walk(th.Roots)
	}
	return calls, leaves
}

// TestLongCallsBounded: a call that does not end holds back a limited number of steps.
func TestLongCallsBounded(t *testing.T) {
	visited := 0
	l := newLongCalls(10, func(s *Step) error {
		if visited == 0 && s.ThreadID != 1 {
			t.Errorf("the first step is %+v", s)
		}
		visited++
		return nil
	})
	step := func(s Step) {
		if err := l.step(&s); err != nil {
			t.Fatal(err)
		}
	}
	step(Step{Kind: Enter, ThreadID: 1})
	for range maxHeldSteps {
		step(Step{Kind: Enter, ThreadID: 2})
		step(Step{Kind: Leave, ThreadID: 2, Duration: 9})
		step(Step{Kind: Hit, ThreadID: 2})
	}
	if visited != 0 || l.held.Len() != 1 {
		t.Fatalf("%d visited, %d held after short calls only", visited, l.held.Len())
	}
	for range maxHeldSteps/2 + 1 {
		step(Step{Kind: Enter, ThreadID: 2})
		step(Step{Kind: Leave, ThreadID: 2, Duration: 10})
	}
	if visited != maxHeldSteps+3 || l.held.Len() > 0 {
		t.Errorf("%d visited, %d held", visited, l.held.Len())
	}
}

// The values of held steps have a limit in bytes. Steps that were passed on do not count.
func TestLongCallsBytes(t *testing.T) {
	visited := 0
	l := newLongCalls(10, func(*Step) error { visited++; return nil })
	step := func(s Step) {
		if err := l.step(&s); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.Repeat("x", maxHeldBytes/10)
	for range 10 {
		step(Step{Kind: Enter, ThreadID: 1, Args: text})
	}
	if visited != 0 {
		t.Errorf("%d steps are not held", visited)
	}
	for range 5 {
		step(Step{Kind: Enter, ThreadID: 1, Args: text})
	}
	if visited != 5 || l.bytes > maxHeldBytes || l.open[1][0].Step != nil {
		t.Errorf("%d steps are not held, %d bytes are", visited, l.bytes)
	}
	for range 15 {
		step(Step{Kind: Leave, ThreadID: 1, Duration: 5, Results: text})
	}
	if err := l.flush(); err != nil || l.bytes != 0 || l.held.Len() != 0 {
		t.Errorf("%v: %d bytes are left of %d steps", err, l.bytes, l.held.Len())
	}
}

// However deep calls are, a long wait in them takes only the work for calls that it shows first.
func TestLongWaitsInDeepCalls(t *testing.T) {
	const n = 1 << 20
	visited := 0
	l := newLongCalls(10, func(*Step) error { visited++; return nil })
	step := func(s Step) {
		if err := l.step(&s); err != nil {
			t.Fatal(err)
		}
	}
	for range n {
		step(Step{Kind: Enter})
	}
	for range n {
		step(Step{Kind: Waited, Duration: 10})
	}
	if visited != 2*n || l.held.Len() > 0 {
		t.Errorf("%d of %d steps are visited, %d held", visited, 2*n, l.held.Len())
	}
}
