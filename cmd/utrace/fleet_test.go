//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"utrace/analyze"
	"utrace/analyze/compare"
	"utrace/analyze/render"
	"utrace/format"
	"utrace/record/test/harness"
)

// The recordings of a fleet of five hosts: on each, twenty of either version.
const (
	fleetHosts    = 5
	fleetRuns     = 20
	fleetRequests = 20 // of a recording
)

var fleetVersions = [2]string{"1.4.1", "1.4.2"}

// fleetTraces writes the traces of a fleet, and returns their paths by version. A request calls
// parse, and query twice; query of the new version takes 1.3 times as long. Hosts differ, and so do
// recordings. The recordings of a version are spread over two days.
func fleetTraces(t *testing.T) (paths [2][]string) {
	t.Helper()
	dir := t.TempDir()
	for i, version := range fleetVersions {
		for host := range fleetHosts {
			for run := range fleetRuns {
				day := time.Date(2026, 11, 26+2*i+run%2, 23, 55+run/2%5, run, 0, time.UTC)
				path := filepath.Join(dir, fmt.Sprintf("web%d-%s-%d.arrow", host, version, run))
				writeFleetTrace(t, path, host, version, day, rand.New(rand.NewPCG(uint64(host), uint64(100*i+run))))
				paths[i] = append(paths[i], path)
			}
		}
	}
	return paths
}

func writeFleetTrace(t *testing.T, path string, host int, version string, start time.Time, rng *rand.Rand) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := format.NewWriter(f, format.Meta{
		Host: fmt.Sprint("web", host), Args: []string{"utrace", "record"}, Labels: map[string]string{"version": version, "role": "web"},
		Start: format.Anchor{MonoNs: 1000, WallNs: start.UnixNano()},
	})
	if err != nil {
		t.Fatal(err)
	}
	m := w.AddModule(format.Module{Path: "/srv/web", BuildID: "ab" + version[4:]})
	text := []format.Arg{{Name: "sql", Type: "str"}}
	result := []format.Arg{{Name: "ret", Type: "s32"}}
	request := w.AddFunc(format.Func{Name: "request", Module: m, Addr: 0x1000, File: "web.c", Line: 10})
	parse := w.AddFunc(format.Func{Name: "parse", Module: m, Addr: 0x2000})
	query := w.AddFunc(format.Func{Name: "query", Module: m, Addr: 0x3000, Args: text, Results: result})
	w.AddProcess(format.Process{PID: 100 + host, Comm: "web", Args: []string{"/srv/web", "--port", "80"}})
	thread := w.AddThread(format.Thread{PID: 100 + host, TID: 100 + host, Comm: "worker"})

	now := uint64(1000)
	add := func(kind format.Kind, fn format.FuncID, sp uint64, args string) {
		e := format.Event{TimeNs: now, Thread: thread, Kind: kind, Func: fn, SP: sp}
		if args == "" {
			err = w.Append(&e)
		} else {
			err = w.AppendArgs(&e, args)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	slow := (1 + 0.1*float64(host)) * (1 + 0.02*rng.NormFloat64())
	spend := func(us float64) { now += uint64(1000*us*slow*(1+0.3*rng.ExpFloat64())) + 1 }
	factor := 1.0
	if version == fleetVersions[1] {
		factor = 1.3
	}
	for i := range fleetRequests {
		add(format.Entry, request, 0x7000, "")
		spend(20)
		add(format.Entry, parse, 0x6000, "")
		spend(30)
		add(format.Return, parse, 0x6000, "")
		for k := range 2 {
			add(format.Entry, query, 0x6000, fmt.Sprintf(`["select %d"]`, i))
			spend(100 * factor)
			add(format.Return, query, 0x6000, fmt.Sprintf(`[%d]`, k-1)) // the first of two fails
		}
		spend(5)
		add(format.Return, request, 0x7000, "")
		now += 3e9 // the next request is in another minute, or on another day
	}
	if err := w.Close(format.End{Stop: format.Anchor{MonoNs: 1000 + int64(now), WallNs: start.UnixNano() + int64(now)}}); err != nil {
		t.Fatal(err)
	}
}

// sqlOf returns the queries of docs/fleet.md for an engine, by name. Each begins with a comment:
// -- DuckDB: p99 by function and version.
func sqlOf(t *testing.T, engine, dir string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	queries := map[string]string{}
	for _, block := range strings.Split(string(text), "```sql\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		title, query, _ := strings.Cut(block, "\n")
		if name, ok := strings.CutPrefix(title, "-- "+engine+": "); ok {
			queries[name] = strings.ReplaceAll(query, "'fleet/", "'"+dir+"/")
		}
	}
	return queries
}

// clickHouse returns a function that runs queries in ClickHouse's engine.
func clickHouse(t *testing.T) func(query string) []map[string]any {
	t.Helper()
	harness.NeedTool(t, "node")
	if _, err := os.Stat("../../testdata/clickhouse/node_modules/chdb"); err != nil {
		t.Skip("no ClickHouse (npm install --no-package-lock --prefix testdata/clickhouse fetches it)")
	}
	return func(query string) []map[string]any {
		t.Helper()
		return jsonRows(t, exec.Command("node", "../../testdata/clickhouse/query.mjs", query))
	}
}

// jsonRows runs a command, and reads the rows that it prints.
func jsonRows(t *testing.T, cmd *exec.Cmd) (rows []map[string]any) {
	t.Helper()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var row map[string]any
		if err := dec.Decode(&row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// TestFleet has the queries of docs/fleet.md answered from an export of 200 traces. Their results
// must be the figures of utrace itself.
func TestFleet(t *testing.T) {
	paths := fleetTraces(t)
	all := slices.Concat(paths[0], paths[1])
	dir := filepath.Join(t.TempDir(), "fleet")
	exportFleet := func(traces ...string) {
		t.Helper()
		if _, stderr, status := inProcess(t, append([]string{"export", "--parquet", dir, "--partition", "host,date"}, traces...)...); status != 0 || stderr != "" {
			t.Fatalf("status %d: %s", status, stderr)
		}
	}
	exportFleet(all...)
	exportFleet(all[3]) // again: its files are replaced

	truth := newFleetTruth(t, paths)
	t.Run("DuckDB", func(t *testing.T) {
		run, queries := duckDB(t), sqlOf(t, "DuckDB", dir)
		ask := func(query string) []map[string]any { return run(queries["tables"] + query) }
		truth.check(t, queries, ask)
		plan := fmt.Sprint(ask("explain analyze select count(*) from calls where host = 'web1' and date = '2026-11-28' and function = 'query'"))
		if !strings.Contains(plan, "Total Files Read: 12 ") || !strings.Contains(plan, "12/240") {
			t.Errorf("12 of 240 files should be read:\n%s", plan)
		}
	})
	t.Run("ClickHouse", func(t *testing.T) {
		run, queries := clickHouse(t), sqlOf(t, "ClickHouse", dir)
		ask := func(query string) []map[string]any { return run(queries["tables"] + query) }
		truth.check(t, queries, ask)
		plan := fmt.Sprint(ask("explain indexes = 1 select count() from calls where function = 'query' and date = '2026-11-28'"))
		if !strings.Contains(plan, "Parts: 1/5") || !strings.Contains(plan, "(function in ['query', 'query'])") {
			t.Errorf("1 of 5 parts should be read, by its index:\n%s", plan)
		}
	})
}

// fleetTruth is what utrace says about the traces of a fleet.
type fleetTruth struct {
	diff    *compare.Comparison // its rows are those of the reports of both versions
	slowest *analyze.SlowCalls
	folded  map[string]int64 // self time by path
}

func newFleetTruth(t *testing.T, paths [2][]string) *fleetTruth {
	t.Helper()
	truth := &fleetTruth{folded: map[string]int64{}}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	truth.diff, err = compare.Diff(paths[0], paths[1], analyze.Options{}, 0.05)
	check(err)
	all := slices.Concat(paths[0], paths[1])
	truth.slowest, err = analyze.Slowest(all, 10, analyze.Options{})
	check(err)
	tree, err := analyze.CallTree(all, analyze.Options{})
	check(err)
	var folded bytes.Buffer
	check(render.Folded(&folded, tree))
	for line := range strings.Lines(folded.String()) {
		var path string
		var ns int64
		_, err := fmt.Sscan(line, &path, &ns)
		check(err)
		truth.folded[path] += ns
	}
	return truth
}

// check compares the answers of an engine.
func (truth *fleetTruth) check(t *testing.T, queries map[string]string, ask func(string) []map[string]any) {
	t.Run("p99", func(t *testing.T) { truth.checkP99(t, ask(queries["p99 by function and version"])) })
	t.Run("regressions", func(t *testing.T) { truth.checkRegressions(t, ask(queries["regressions between two versions"])) })
	t.Run("slowest", func(t *testing.T) { truth.checkSlowest(t, ask(queries["slowest calls"])) })
	t.Run("flame", func(t *testing.T) { truth.checkFlame(t, ask(queries["flame graph of a service"])) })
}

func (truth *fleetTruth) checkP99(t *testing.T, rows []map[string]any) {
	got, want := map[string]string{}, map[string]string{}
	for _, row := range rows {
		got[fmt.Sprint(row["function"], " ", row["version"])] = fmt.Sprintf("%.0f %.0f", row["calls"], row["p99_ns"])
	}
	for _, c := range truth.diff.Changes {
		for i, row := range []*analyze.Row{c.Old, c.New} {
			want[c.Name+" "+fleetVersions[i]] = fmt.Sprint(row.Calls, " ", int64(row.Quantile(990)))
		}
	}
	if len(want) != 6 || !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// checkRegressions: means, p-values and verdicts are those of utrace diff. P of diff is adjusted for
// all tests of all metrics; the means have a tenth of it, with the others.
func (truth *fleetTruth) checkRegressions(t *testing.T, rows []map[string]any) {
	tests := 0.0
	changes := map[string]compare.Delta{}
	for i := range truth.diff.Changes {
		c := &truth.diff.Changes[i]
		changes[c.Name] = c.Deltas[compare.Avg]
		for m, d := range c.Deltas {
			if d.Tested && compare.Metric(m) != compare.P50 {
				tests++
			}
		}
	}
	if !truth.diff.ByRuns || len(rows) != 3 || len(changes) != 3 {
		t.Fatalf("%d rows, want %d", len(rows), len(changes))
	}
	for _, row := range rows {
		want := changes[row["function"].(string)]
		number := func(column string) float64 { v, _ := row[column].(float64); return v }
		if int64(number("old_ns")) != want.Old || int64(number("new_ns")) != want.New {
			t.Errorf("%v: want %d and %d", row, want.Old, want.New)
		}
		if p := want.P * 0.1 / tests; want.P < 1 && math.Abs(number("p")/p-1) > 0.01 {
			t.Errorf("%v: p of diff is %g", row, p)
		}
		if significant := fmt.Sprint(row["significant"]); (significant == "true" || significant == "1") != want.Significant {
			t.Errorf("%v: significant in diff: %v", row, want.Significant)
		}
	}
	if !changes["query"].Significant || changes["parse"].Significant {
		t.Error("query is slower, parse is not")
	}
}

func (truth *fleetTruth) checkSlowest(t *testing.T, rows []map[string]any) {
	var got, want []string
	for _, row := range rows {
		got = append(got, fmt.Sprintf("%v %.0f %v %.0f", row["function"], row["duration_ns"], row["process"], row["tid"]))
	}
	for _, c := range truth.slowest.Calls {
		want = append(want, fmt.Sprint(c.Function.Name, " ", int64(c.Duration), " ", c.Process, " ", c.Thread.TID))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func (truth *fleetTruth) checkFlame(t *testing.T, rows []map[string]any) {
	got := map[string]int64{}
	for _, row := range rows {
		ns, _ := row["self_ns"].(float64)
		got[fmt.Sprint(row["path"])] += int64(ns)
	}
	if len(got) != 3 || !maps.Equal(got, truth.folded) {
		t.Errorf("got %v, want %v", got, truth.folded)
	}
}
