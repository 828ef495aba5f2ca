//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"utrace/format"
	"utrace/record/test/harness"
)

// duckDB builds the program that runs queries in DuckDB, and returns a function that runs one.
func duckDB(t *testing.T) func(query string) []map[string]any {
	t.Helper()
	harness.NeedTool(t, "go")
	bin := filepath.Join(t.TempDir(), "duckdb")
	build := exec.Command("go", "build", "-C", "../../testdata/duckdb", "-o", bin, ".")
	build.Env = append(os.Environ(), "GOPROXY=off", "CGO_ENABLED=1")
	if text, err := build.CombinedOutput(); err != nil {
		t.Skipf("no DuckDB (go build -C testdata/duckdb . fetches it): %v\n%s", err, text)
	}
	return func(query string) []map[string]any {
		t.Helper()
		return jsonRows(t, exec.Command(bin, query))
	}
}

// readmeQuery returns the query of docs/exporting.md that makes the report.
func readmeQuery(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/exporting.md")
	if err != nil {
		t.Fatal(err)
	}
	_, query, ok := strings.Cut(string(text), "```sql\n")
	if !ok {
		t.Fatal("docs/exporting.md has no query")
	}
	query, _, _ = strings.Cut(query, "```")
	return strings.ReplaceAll(query, "calls.parquet", file)
}

func export(t *testing.T, traces ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "calls.parquet")
	if _, stderr, status := utrace(t, append([]string{"export", "--parquet", out}, traces...)...); status != 0 {
		t.Fatal(stderr)
	}
	return out
}

// TestExport has the file read by DuckDB.
func TestExport(t *testing.T) {
	query := duckDB(t)
	t.Run("report", func(t *testing.T) { exportEqualsReport(t, query) })
	t.Run("survey", func(t *testing.T) { exportSurvey(t, query) })
	t.Run("kept", func(t *testing.T) { exportKept(t, query) })
	t.Run("rows", func(t *testing.T) { exportRows(t, query) })
}

// exportEqualsReport: the query of docs/exporting.md, run in DuckDB on what export writes, gives
// each figure of each function of the report. Percentiles may differ by the 1% that the report's
// may be wrong by.
func exportEqualsReport(t *testing.T, query func(string) []map[string]any) {
	texts, err := filepath.Glob("../../testdata/traces/*.txt")
	if err != nil || len(texts) == 0 {
		t.Fatal("no traces", err)
	}
	cases := map[string][]string{"demo": {"../../testdata/traces/demo.arrow"}}
	for _, text := range texts {
		name := strings.TrimSuffix(filepath.Base(text), ".txt")
		cases[name] = []string{traceFile(t, name)}
	}
	delete(cases, "dropped") // see exportKept
	delete(cases, "survey")  // see exportSurvey
	cases["several"] = slices.Concat(cases["nesting"], cases["open"], cases["threads"], cases["recursion"])
	for name, traces := range cases {
		t.Run(name, func(t *testing.T) {
			got := query(readmeQuery(t, export(t, traces...)))
			stdout, stderr, status := utrace(t, append([]string{"analyze", "--json"}, traces...)...)
			if status != 0 {
				t.Fatal(stderr)
			}
			var report struct{ Functions []map[string]any }
			if err := json.Unmarshal([]byte(stdout), &report); err != nil {
				t.Fatal(err)
			}
			compareRows(t, got, report.Functions)
		})
	}
}

// exportKept: of calls that a condition dropped a trace has the sums only, so they have no rows,
// and it is said.
func exportKept(t *testing.T, query func(string) []map[string]any) {
	out := filepath.Join(t.TempDir(), "calls.parquet")
	_, stderr, status := utrace(t, "export", "--parquet", out, traceFile(t, "dropped"))
	if status != 0 || !strings.Contains(stderr, "7 calls were dropped while recording") {
		t.Fatalf("status %d: %s", status, stderr)
	}
	if rows := query("select state, count(*) as n from '" + out + "' group by state"); len(rows) != 1 || rows[0]["state"] != "complete" || fmt.Sprint(rows[0]["n"]) != "7" {
		t.Errorf("%v", rows)
	}
}

// exportSurvey: in a survey, weights add up to the calls of the report.
func exportSurvey(t *testing.T, query func(string) []map[string]any) {
	rows := query(readmeQuery(t, export(t, traceFile(t, "survey"))))
	var got []string
	for _, row := range rows {
		got = append(got, fmt.Sprint(row["name"], " ", row["calls"], " ", row["incomplete"], " ", row["total_ns"]))
	}
	slices.Sort(got)
	// A call of hot in a window stands for 4.4 to 5.6: 50, 60, 40, 50 and 80 ns. One is cut off, one
	// in no sample.
	if want := []string{"hot 29 1 1417", "lib 1 0 40", "t.py.main 10 1 500", "work 2 0 2340"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// compareRows compares rows in any order.
func compareRows(t *testing.T, got, want []map[string]any) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d functions, want %d", len(got), len(want))
	}
	exact := []string{"name", "module", "file", "line", "calls", "incomplete", "total_ns", "self_ns", "min_ns", "avg_ns", "max_ns", "pids"}
	key := func(row map[string]any) string {
		var values []string
		for _, column := range exact {
			values = append(values, fmt.Sprint(row[column]))
		}
		return strings.Join(values, " ")
	}
	for _, rows := range [][]map[string]any{got, want} {
		slices.SortFunc(rows, func(a, b map[string]any) int { return strings.Compare(key(a), key(b)) })
	}
	for i := range got {
		for _, column := range exact {
			if !reflect.DeepEqual(got[i][column], want[i][column]) {
				t.Errorf("%v: %s is %v, want %v", want[i]["name"], column, got[i][column], want[i][column])
			}
		}
		for _, column := range []string{"p50_ns", "p90_ns", "p99_ns", "p999_ns"} {
			g, ok := got[i][column].(float64)
			w := want[i][column].(float64)
			if !ok || g < 0.99*w || g > 1.01*w {
				t.Errorf("%v: %s is %v, want %v", want[i]["name"], column, got[i][column], w)
			}
		}
	}
}

// exportRows: every column of every kind of row, as DuckDB reads it.
func exportRows(t *testing.T, query func(string) []map[string]any) {
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	writeText(t, trace, `
meta {"host":"box","start":{"mono_ns":5,"wall_ns":1700000000000000000}}
module {"path":"/bin/app","build_id":"ab12"}
func {"name":"fact","module":0,"addr":4096,"file":"app.c","line":7,"args":[{"name":"n","type":"u32"},{"name":"who","type":"str"}],"results":[{"name":"ret","type":"u64"}]}
func {"name":"point","module":0,"addr":8192,"hit":true,"args":[{"name":"","type":"ptr"}]}
func {"name":"abort","module":0,"addr":9000,"no_return":true}
process {"pid":10,"comm":"app"}
thread {"pid":10,"tid":11,"comm":"worker","goroutine":3}
thread {"pid":10,"tid":12,"comm":"main"}
1000 0 entry 0 sp=0x7000 args=[2,"a\u001b`+"\u009b\U000e0001"+`"]
2000 0 entry 0 sp=0x6000 args=[1,null]
2500 0 hit 1 sp=0x5000 args=[64]
4000 0 return 0 sp=0x6000 args=[1]
5000 0 entry 2 sp=0x6000
6000 1 entry 0 sp=0x9000
9000 0 return 0 sp=0x7000
`)
	rows := query("select *, epoch_us(start_time)::varchar as us from '" + export(t, trace) + "' order by start_ns")
	var got []string
	for _, r := range rows {
		var values []string
		for _, column := range strings.Fields("function us start_ns duration_ns self_ns total_ns depth address line tid thread goroutine arguments results state") {
			values = append(values, fmt.Sprint(r[column]))
		}
		got = append(got, strings.Join(values, " "))
		if same := fmt.Sprint(r["trace"], r["host"], r["module"], r["build_id"], r["pid"], r["process"]); same != fmt.Sprint(trace, "box", "/bin/app", "ab12", 10, "app") {
			t.Error(same)
		}
	}
	want := []string{
		`fact 1700000000000001 1000 8000 6000 8000 0 4096 7 11 worker 3 {"n":2,"who":"a\u001b\u009b\udb40\udc01"} <nil> complete`,
		`fact 1700000000000002 2000 2000 2000 0 1 4096 7 11 worker 3 {"n":1,"who":null} {"ret":1} complete`,
		`point 1700000000000002 2500 <nil> <nil> 0 2 8192 0 11 worker 3 {"arg1":64} <nil> hit`,
		`abort 1700000000000005 5000 <nil> <nil> 0 1 9000 0 11 worker 3 <nil> <nil> noreturn`,
		`fact 1700000000000006 6000 <nil> <nil> 0 0 4096 7 12 main <nil> <nil> <nil> open`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := format.ReadText(strings.NewReader(text), out); err != nil {
		t.Fatal(err)
	}
}

// What export writes to standard output is what it writes to a file.
func TestExportStandardOutput(t *testing.T) {
	trace := traceFile(t, "nesting")
	want, err := os.ReadFile(export(t, trace))
	if err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, status := utrace(t, "export", "--parquet", "-", trace); status != 0 || stdout != string(want) {
		t.Errorf("status %d, %d bytes, want %d\n%s", status, len(stdout), len(want), stderr)
	}
}
