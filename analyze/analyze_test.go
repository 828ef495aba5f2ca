package analyze

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"utrace/format"
)

// Children must lie inside their parents, and the self times of all calls must add up to the time
// of the outermost complete ones.
func TestInvariants(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.arrow")
	writeCalls(t, path, 300_000, 5)
	type open struct{ at, inside time.Duration }
	stacks := map[format.ThreadID][]open{}
	outermost, last := time.Duration(0), time.Duration(0)
	_, err := Flow(path, Options{}, false, func(s *Step) error {
		if s.At < last && s.State != Open {
			return fmt.Errorf("%v after %v", s.At, last)
		}
		last = s.At
		stack := stacks[s.ThreadID]
		switch s.Kind {
		case Enter:
			if len(stack) != s.Depth {
				return fmt.Errorf("depth %d, want %d", s.Depth, len(stack))
			}
			stack = append(stack, open{at: s.At})
		case Leave:
			top := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if s.State == Complete && (s.Duration != s.At-top.at || top.inside > s.Duration) {
				return fmt.Errorf("a call of %v since %v at %v has %v inside", s.Duration, top.at, s.At, top.inside)
			}
			inside := s.Duration
			if s.State != Complete {
				inside = top.inside
			}
			if len(stack) > 0 {
				stack[len(stack)-1].inside += inside
			} else {
				outermost += inside
			}
		}
		stacks[s.ThreadID] = stack
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Report([]string{path}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	self, calls := time.Duration(0), uint64(0)
	for i := range r.Rows {
		self += r.Rows[i].Self
		calls += r.Rows[i].Calls
	}
	if self != outermost {
		t.Errorf("self times add up to %v, outermost calls to %v", self, outermost)
	}
	p, _, err := Profile([]string{path}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var values [2]int64
	for _, s := range p.Sample {
		values[0] += s.Value[0]
		values[1] += s.Value[1]
	}
	if values != [2]int64{int64(calls), int64(self)} {
		t.Errorf("profile adds up to %v, report to %v", values, [2]int64{int64(calls), int64(self)})
	}
}

// Two traces with some of the threads each must give the same result as one trace of all.
func TestSeveralTraces(t *testing.T) {
	dir := t.TempDir()
	whole, left, right := filepath.Join(dir, "whole"), filepath.Join(dir, "left"), filepath.Join(dir, "right")
	writeCalls(t, whole, 100_000, 4)
	writers := map[string]*format.Writer{}
	numbers := map[string]map[format.ThreadID]format.ThreadID{}
	for _, path := range []string{left, right} {
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		w, err := format.NewWriter(f, format.Meta{Host: "bench"})
		if err != nil {
			t.Fatal(err)
		}
		m := w.AddModule(format.Module{Path: "/usr/bin/bench"})
		for i := range 300 {
			w.AddFunc(format.Func{Name: fmt.Sprintf("f%d", i), Module: m, Addr: uint64(i) * 64})
		}
		writers[path], numbers[path] = w, map[format.ThreadID]format.ThreadID{}
	}
	_, err := Flow(whole, Options{}, false, func(s *Step) error {
		if s.Kind == Leave && s.State != Complete {
			return nil
		}
		path := left
		if s.ThreadID%2 == 1 {
			path = right
		}
		w := writers[path]
		if _, ok := numbers[path][s.ThreadID]; !ok {
			numbers[path][s.ThreadID] = w.AddThread(*s.Thread)
		}
		e := format.Event{TimeNs: uint64(s.At), SP: uint64(1e6 - s.Depth), Thread: numbers[path][s.ThreadID], Func: format.FuncID(s.Func.Addr / 64)}
		if s.Kind == Leave {
			e.Kind = format.Return
		}
		return w.Append(&e)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range writers {
		if err := w.Close(format.End{}); err != nil {
			t.Fatal(err)
		}
	}
	one, err := Report([]string{whole}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	two, err := Report([]string{left, right}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(one.Rows, two.Rows) {
		t.Error("the rows differ")
	}
}

// A trace that is cut off anywhere must give the beginning of the whole trace's flow, and a
// warning.
func TestCutOff(t *testing.T) {
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
	fn := w.AddFunc(format.Func{Name: "f", Module: w.AddModule(format.Module{Path: "/bin/x"})})
	th := w.AddThread(format.Thread{PID: 1, TID: 1})
	for i := range 12 {
		w.Append(&format.Event{TimeNs: uint64(i * 10), SP: 1 << 20, Thread: th, Func: fn, Kind: format.Kind(i % 2)})
		if i%3 == 2 {
			w.Flush()
		}
	}
	if err := w.Close(format.End{}); err != nil {
		t.Fatal(err)
	}
	whole := finishedSteps(t, path)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Each trace that is opened takes some MiB, and lives for a moment: most of the time would go
	// to collecting them.
	defer debug.SetGCPercent(debug.SetGCPercent(1000))
	step, workers := 1, runtime.GOMAXPROCS(0)
	if testing.Short() {
		step = 13
	}
	lengths := make([]int, len(data)) // of the flows, by bytes; -1 if nothing can be read
	t.Run("bytes", func(t *testing.T) {
		for i := range workers {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(t.TempDir(), "trace.arrow")
				for n := i * step; n < len(data); n += workers * step {
					lengths[n] = checkCutOff(t, path, data[:n], whole)
				}
			})
		}
	})
	longest := 0
	for n := 0; n < len(data); n += step {
		if lengths[n] >= 0 && lengths[n] < longest {
			t.Errorf("%d bytes: %d steps, fewer than before", n, lengths[n])
		}
		longest = max(longest, lengths[n])
	}
	if longest != len(whole) {
		t.Errorf("%d steps of %d without the end", longest, len(whole))
	}
}

// checkCutOff checks the analysis of the beginning of a trace. It returns the number of its steps,
// -1 if nothing of it can be read.
func checkCutOff(t *testing.T, path string, data []byte, whole []string) int {
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Report([]string{path}, Options{})
	if errors.Is(err, format.ErrNotTrace) || errors.Is(err, ErrUnreadable) {
		return -1
	}
	if err != nil {
		t.Fatal(len(data), err)
	}
	if len(r.Warnings) == 0 {
		t.Errorf("%d bytes: no warning", len(data))
	}
	part := finishedSteps(t, path)
	if len(part) > len(whole) || !slices.Equal(part, whole[:len(part)]) {
		t.Fatalf("%d bytes: %v is no beginning of %v", len(data), part, whole)
	}
	return len(part)
}

// finishedSteps returns the steps of a trace, without the ends of calls that are open at its end.
func finishedSteps(t *testing.T, path string) (list []string) {
	_, err := Flow(path, Options{}, false, func(s *Step) error {
		if s.State != Open {
			list = append(list, fmt.Sprint(s.Kind, s.At, s.Duration, s.Depth, s.Func.Name))
		}
		return nil
	})
	if err != nil && !errors.Is(err, format.ErrNotTrace) && !errors.Is(err, ErrUnreadable) {
		t.Fatal(err)
	}
	return list
}

// The paths from long paths to the nodes for further calls have the same limit as the nodes.
func TestTreeIndexBounded(t *testing.T) {
	c := newCallPaths(&Options{}, false, nil)
	deep := func(outermost uint32) uint32 {
		at := c.child(c.root(Label{}), outermost)
		for range maxPath - 1 {
			at = c.child(at, 0)
		}
		return at
	}
	one, two := deep(1), deep(2)
	for i := uint32(0); len(c.index) < maxNodes; i++ {
		c.index[pathKey{math.MaxUint32, i}] = 0
	}
	const funcs = 1000
	for fn := range uint32(funcs) {
		c.child(one, fn)
	}
	before := len(c.index)
	for fn := range uint32(funcs) {
		c.child(two, fn)
	}
	if after := len(c.index); after != before || after > maxNodes+funcs+1 || !c.crowded {
		t.Errorf("%d ways, then %d, with %d functions", before, after, funcs)
	}
}

// A deep recursion must not make the tree deep, and must not lose a call.
func TestTreeOfDeepRecursion(t *testing.T) {
	c := newCallPaths(&Options{}, true, nil)
	p := newPairer(c)
	p.define(make([]format.Func, 2))
	th := &thread{process: &format.Process{}}
	const n = 20_000
	var b format.Batch
	for i := range 2 * n {
		kind, depth := format.Entry, i+1
		if i >= n {
			kind, depth = format.Return, 2*n-i
		}
		b.DeltaNs, b.Kind = append(b.DeltaNs, 1), append(b.Kind, uint8(kind))
		b.Func, b.StackBytes = append(b.Func, uint32(depth%2)), append(b.StackBytes, uint32(depth))
	}
	p.process(th, &b, 0, 2*n)
	calls, self := uint64(0), time.Duration(0)
	var walk func(nodes []*Node, depth int)
	walk = func(nodes []*Node, depth int) {
		for _, node := range nodes {
			if depth > maxPath {
				t.Fatalf("%d levels", depth)
			}
			calls += node.Calls
			self += node.Self
			walk(node.Children, depth+1)
		}
	}
	walk(c.build(make([]Function, 2), []rowKey{{fn: 0}, {fn: 1}}, make([]Value, 1))[0].Roots, 1)
	if calls != n || self != 2*n-1 {
		t.Errorf("%d calls of %v", calls, self)
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"":                "",
		"std::f<int> é λ": "std::f<int> é λ",
		"a\x1b[31mb":      `a\x1b[31mb`,
		"a\nb\tc\x00":     `a\nb\tc\x00`,
		"\xff\xfeok":      `\xff\xfeok`,
		"\u202eevil":      `\u202eevil`,
		"\ufffd":          "\ufffd",
		"\u009b31m":       `\u009b31m`,
	} {
		if got := Printable(in); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"SSL_*", "SSL_read", true}, {"SSL_*", "xSSL_read", false}, {"net/http.*", "net/http.(*conn).serve", true},
		{"*", "a/b", true}, {"/read$/", "SSL_read", true}, {"/^read$/", "SSL_read", false}, {"main", "main", true},
	} {
		p, err := ParsePattern(c.pattern)
		if err != nil || p.Match(c.name) != c.want {
			t.Errorf("%s on %s: not %v (%v)", c.pattern, c.name, c.want, err)
		}
	}
	for _, bad := range []string{"/(/", "[a"} {
		if _, err := ParsePattern(bad); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

// FuzzAnalyze feeds damaged traces to every view.
func FuzzAnalyze(f *testing.F) {
	dir := f.TempDir()
	for _, threads := range []int{1, 3} {
		path := filepath.Join(dir, "seed")
		writeCalls(f, path, 200, threads)
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)*2/3])
	}
	path := filepath.Join(dir, "sched")
	writeText(f, path, fmt.Sprintf(schedTrace, true))
	stacks := filepath.Join(dir, "stacks")
	writeText(f, stacks, readStacks(f))
	data, err := os.ReadFile(stacks)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	if data, err = os.ReadFile(readTestTrace(f, "survey.txt")); err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	// A view may need a damaged column that the report does not read.
	unexpected := func(err error) bool { return err != nil && !errors.Is(err, ErrUnreadable) }
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "trace")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Report([]string{path}, Options{}); err != nil {
			return
		}
		if _, _, err := Profile([]string{path}, Options{}); unexpected(err) {
			t.Error(err)
		}
		if _, _, err := Profile([]string{path}, Options{By: "ret"}); unexpected(err) {
			t.Error(err)
		}
		if _, err := Slowest([]string{path}, 10, Options{}); unexpected(err) {
			t.Error(err)
		}
		for _, by := range []string{"", "ret"} {
			d, err := MakeDigest([]string{path}, Options{By: by})
			if unexpected(err) {
				t.Error(err)
			}
			if err == nil {
				Edges(d.Roots)
			}
		}
		if _, err := CompareCalls([]string{path}, nil, Options{}, slowestTenth); unexpected(err) {
			t.Error(err)
		}
		if _, err := Flow(path, Options{}, true, func(*Step) error { return nil }); unexpected(err) {
			t.Error(err)
		}
		if _, err := EachCall([]string{path}, Options{}, func(*Call) error { return nil }); unexpected(err) {
			t.Error(err)
		}
		if _, err := ReportSliced([]string{path}, Options{}, [3]uint64{500, 900, 990}); unexpected(err) {
			t.Error(err)
		}
	})
}
