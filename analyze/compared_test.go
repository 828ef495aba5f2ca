package analyze

import (
	"path/filepath"
	"reflect"
	"runtime"
	"testing"
	"time"
)

// slowestTenth are the limits of the slowest tenth and of the calls between P25 and P75.
func slowestTenth(s *Stats) Limits {
	return Limits{Than: s.Quantile(900), Low: s.Quantile(250), High: s.Quantile(750)}
}

// The comparison of two traces has the calls of both. It does not depend on the number of
// processors.
func TestCompareCalls(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for _, name := range []string{"a", "b"} {
		path := filepath.Join(dir, name)
		writeCalls(t, path, 60_000, 5)
		paths = append(paths, path)
	}
	pattern, err := ParsePattern("f1")
	if err != nil {
		t.Fatal(err)
	}
	of := func(processors int, opts Options, paths ...string) *Compared {
		t.Helper()
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
		c, err := CompareCalls(paths, pattern, opts, slowestTenth)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	one, two := of(2, Options{}, paths[0]), of(2, Options{}, paths...)
	slow := one.Groups[SlowClass]
	if n := one.Stats.Durations.Count(); n == 0 || two.Stats.Durations.Count() != 2*n || two.Groups[SlowClass] != (CallTotals{2 * slow.Calls, 2 * slow.Time}) {
		t.Errorf("%d calls, %+v; two traces %d, %+v", n, one.Groups, two.Stats.Durations.Count(), two.Groups)
	}
	for _, processors := range []int{1, 4, 8} {
		c := of(processors, Options{}, paths...)
		if c.Groups != two.Groups || !reflect.DeepEqual(sampledIDs(c), sampledIDs(two)) || !reflect.DeepEqual(c.Examples, two.Examples) {
			t.Errorf("with %d processors it differs", processors)
		}
		sums, want := pathTotals(c), pathTotals(two)
		if !reflect.DeepEqual(sums, want) {
			t.Errorf("with %d processors the paths differ: %d and %d", processors, len(sums), len(want))
		}
	}
	want, calls := CallTotals{}, uint64(0)
	_, err = EachCall(paths[:1], Options{Function: pattern}, func(c *Call) error {
		if c.State == Complete && c.Total > 0 { // outermost
			if calls++; c.Duration > one.Limits.Than {
				want.Calls++
				want.Time += c.Duration
			}
		}
		return nil
	})
	if err != nil || one.Stats.Durations.Count() != calls || slow != want {
		t.Errorf("%d calls, %+v; want %d, %+v, %v", one.Stats.Durations.Count(), slow, calls, want, err)
	}
	some := of(2, Options{TIDs: []int{2}, From: time.Millisecond}, paths[0])
	if n := some.Stats.Durations.Count(); n == 0 || n >= calls {
		t.Errorf("%d calls of one thread, of %d", n, calls)
	}
}

// sampledIDs returns which calls are in the samples.
func sampledIDs(c *Compared) (list []CallID) {
	for _, sample := range [][]SampledCall{c.Samples[SlowClass], c.Samples[TypicalClass], c.All} {
		for i := range sample {
			list = append(list, sample[i].ID)
		}
	}
	return list
}

// pathTotals returns the figures of paths by their names.
func pathTotals(c *Compared) map[string][Classes]PathSum {
	totals, names := map[string][Classes]PathSum{}, make([]string, len(c.Sums.Nodes))
	for i, n := range c.Sums.Nodes {
		if i > 0 {
			names[i] = names[n.Parent] + ">" + c.Functions[n.Func].Name
		}
		totals[names[i]] = n.Of
	}
	return totals
}
