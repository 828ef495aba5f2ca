package analyze

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"utrace/format"
)

// TestDigest compares a digest, which is made in one pass, with the views that each need their own.
func TestDigest(t *testing.T) {
	dir := t.TempDir()
	path, sched := filepath.Join(dir, "trace"), filepath.Join(dir, "sched")
	writeTraceOfCalls(t, path, 100_000, 3, false, benchCosts())
	writeTraceOfCalls(t, sched, 50_000, 3, true)
	for name, paths := range map[string][]string{"one": {path}, "sched": {sched}, "several": {path, sched}} {
		for _, opts := range []Options{{}, {Min: 2000}, {From: 5 * time.Millisecond, To: 9 * time.Millisecond}} {
			t.Run(fmt.Sprint(name, opts.Min, opts.From), func(t *testing.T) { checkDigest(t, paths, opts) })
		}
	}
}

func checkDigest(t *testing.T, paths []string, opts Options) {
	d, err := MakeDigest(paths, opts)
	if err != nil {
		t.Fatal(err)
	}
	report, err := Report(paths, opts)
	if err != nil || len(report.Rows) == 0 {
		t.Fatal(err, report)
	}
	if !reflect.DeepEqual(d.Result.Rows, report.Rows) || !reflect.DeepEqual(d.Trace, report.Trace) {
		t.Error("the report is another")
	}
	tree, err := CallTree(paths, opts)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := treeLines(d.Roots), treeLines(tree.Threads[0].Roots); !slices.Equal(got, want) {
		t.Errorf("%d nodes, want %d", len(got), len(want))
	}
	maps, _, err := Heatmaps(paths, opts)
	if err != nil {
		t.Fatal(err)
	}
	if len(maps) != len(d.Details) {
		t.Errorf("%d heatmaps, want %d", len(d.Details), len(maps))
	}
	for i := range maps {
		checkFineHeatmap(t, &d.Details[maps[i].Function].Heatmap, &maps[i])
	}
	for i := range 20 {
		row := &report.Rows[i*len(report.Rows)/20]
		of := opts
		of.Function, _ = ParsePattern(row.Name)
		slow, err := Slowest(paths, perFunction(len(report.Rows)), of)
		if err != nil {
			t.Fatal(err)
		}
		got, want := slowLines(d.Details[row.Function].Slowest, !d.Trace.Sched), slowLines(slow.Calls, !d.Trace.Sched)
		if !slices.Equal(got, want) {
			t.Errorf("%s: slowest calls are\n%q, want\n%q", row.Name, got, want)
		}
	}
}

// checkFineHeatmap sums up the rows of an octave.
func checkFineHeatmap(t *testing.T, fine, want *Heatmap) {
	t.Helper()
	got := map[time.Duration][HeatmapSlices]uint64{}
	for i := range fine.Rows {
		low := OctaveStart(octave(int64(fine.Rows[i].Low)))
		sum := got[low]
		for s, n := range fine.Rows[i].Calls {
			sum[s] += n
		}
		got[low] = sum
	}
	if fine.Calls != want.Calls || fine.Slice != want.Slice || fine.Slices != want.Slices {
		t.Errorf("%s: %d calls in %d slices of %v, want %d, %d, %v", want.Name, fine.Calls, fine.Slices, fine.Slice, want.Calls, want.Slices, want.Slice)
	}
	for i := range want.Rows {
		if got[want.Rows[i].Low] != want.Rows[i].Calls {
			t.Errorf("%s: row %v is another", want.Name, want.Rows[i].Low)
		}
	}
}

func treeLines(nodes []*Node) (lines []string) {
	for _, n := range nodes {
		lines = append(lines, fmt.Sprint(n.Function.Name, n.Calls, n.Incomplete, n.Total, n.Self, n.SelfWaits))
		lines = append(lines, treeLines(n.Children)...)
		lines = append(lines, "up")
	}
	return lines
}

// slowLines has a line for each call. With flows, it has another for each step below it. In a digest,
// waits are among these.
func slowLines(calls []SlowCall, flows bool) (lines []string) {
	for i := range calls {
		c := &calls[i]
		below := c.Omitted
		for _, s := range c.Flow {
			if s.Kind == Enter {
				below++
			}
			if flows {
				lines = append(lines, fmt.Sprint(s.Kind, s.State, s.Depth, s.At, s.Duration, s.Func.Name))
			}
		}
		lines = append(lines, fmt.Sprint(c.File, c.Start, c.Duration, c.Thread, c.Waits, c.Longest, below))
	}
	return lines
}

func TestKthLargest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		values := make([]int64, 1+rng.IntN(40))
		for i := range values {
			values[i] = rng.Int64N(20)
		}
		sorted := slices.Sorted(slices.Values(values))
		slices.Reverse(sorted)
		k := 1 + rng.IntN(len(values))
		if got := kthLargest(slices.Clone(values), k); got != sorted[k-1] {
			t.Fatalf("number %d of %v is %d", k, values, got)
		}
	}
}

// TestCrowdedTree: beyond the limit of nodes, calls and self times of each function still add up.
func TestCrowdedTree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	writeCalls(t, path, 100_000, 3)
	opts := &Options{}
	sums := func(room int) (map[string][2]int64, int, bool) {
		b := newTreeBuilder(opts, false, room, newFunctions())
		src, err := openSource(path, opts)
		if err != nil {
			t.Fatal(err)
		}
		defer src.close()
		parts := []*callPaths{b.part(src, nil), b.part(src, nil)}
		if _, err := src.pair(opts, opts.columns(), []view{parts[0], parts[1]}); err != nil {
			t.Fatal(err)
		}
		b.add(src, parts)
		of := map[string][2]int64{}
		var add func([]*Node)
		add = func(nodes []*Node) {
			for _, n := range nodes {
				sum := of[n.Function.Name]
				of[n.Function.Name] = [2]int64{sum[0] + int64(n.Calls), sum[1] + int64(n.Self)}
				add(n.Children)
			}
		}
		for _, thread := range b.result(newSummary(nil), newValueTable("")) {
			add(thread.Roots)
		}
		delete(of, leftOutName)
		return of, len(b.all.nodes), b.all.crowded
	}
	want, nodes, crowded := sums(maxNodes)
	if crowded || nodes < 10_000 {
		t.Fatal(nodes, crowded)
	}
	got, nodes, crowded := sums(500)
	if !crowded || nodes > 500+2*300 {
		t.Errorf("%d nodes, crowded: %v", nodes, crowded)
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("calls or self times are lost")
	}
}

// TestCallLogBounded: with many threads and open calls, a log keeps no more than its limit.
func TestCallLogBounded(t *testing.T) {
	log := newCallLog(&Options{}, 0)
	log.define(make([]format.Func, 1))
	const depth, wide = 40, 120
	for id := range format.ThreadID(600) {
		th := &thread{id: id, process: &format.Process{}}
		begin := func() {
			th.nowNs++
			th.frames = append(th.frames, frame{startNs: th.nowNs})
			log.enter(th, th.top(), nil)
		}
		end := func() {
			th.nowNs++
			log.leave(th, th.top(), Complete)
			th.frames = th.frames[:len(th.frames)-1]
		}
		for range depth {
			begin()
			for range wide {
				begin()
				end()
			}
		}
	}
	held := 0
	for _, th := range log.threads {
		held += len(th.inside)
	}
	if held != log.held || held > maxHeldCalls+600*depth*2*fewCalls || held < maxHeldCalls/2 {
		t.Errorf("%d calls are held, counted as %d", held, log.held)
	}
}
