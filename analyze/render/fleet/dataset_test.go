package fleet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/parquet/file"

	"utrace/analyze"
	"utrace/format"
)

var midnight = time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)

// call is a complete call of a function of a recording, which began so long after midnight.
func call(recording, host, function string, at, lasts time.Duration) *analyze.Call {
	return &analyze.Call{
		Trace: recording + ".arrow", Recording: recording, Host: host, Function: &analyze.Function{Name: function}, Thread: &format.Thread{PID: 1}, Process: &format.Process{},
		State: analyze.Complete, Begin: midnight.Add(at), Duration: lasts, Self: lasts, Total: lasts, Weight: 1, Path: function,
	}
}

// write writes calls into a dataset.
func write(t *testing.T, dir, keys string, calls ...*analyze.Call) error {
	t.Helper()
	by, err := ParseKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDataset(dir, by)
	if err != nil {
		return err
	}
	for _, c := range calls {
		if err := d.Write(c); err != nil {
			return errors.Join(err, d.Abort())
		}
	}
	return d.Close()
}

// files lists all files below a directory.
func files(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestPartitions(t *testing.T) {
	calls := []*analyze.Call{call("one", "web1", "f", -time.Second, 1), call("one", "web1", "f", 0, 1), call("two", "../../we b", "f", 0, 1), call("three", "", "f", 0, 1)}
	for keys, want := range map[string][]string{
		"host,date": {"host=..%2F..%2Fwe%20b/date=2026-11-30/two.parquet", "host=__HIVE_DEFAULT_PARTITION__/date=2026-11-30/three.parquet",
			"host=web1/date=2026-11-29/one.parquet", "host=web1/date=2026-11-30/one.parquet"},
		"date": {"date=2026-11-29/one.parquet", "date=2026-11-30/one.parquet", "date=2026-11-30/three.parquet", "date=2026-11-30/two.parquet"},
		"host": {"host=..%2F..%2Fwe%20b/two.parquet", "host=__HIVE_DEFAULT_PARTITION__/three.parquet", "host=web1/one.parquet"},
	} {
		dir := filepath.Join(t.TempDir(), "new", "fleet")
		if err := write(t, dir, keys, calls...); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"calls", "histograms"} {
			if got := files(t, filepath.Join(dir, table)); !slices.Equal(got, want) {
				t.Errorf("%s by %s: %q, want %q", table, keys, got, want)
			}
		}
	}
	for _, keys := range []string{"", "host,", "version", "host,host"} {
		if _, err := ParseKeys(keys); err == nil {
			t.Errorf("%q: no error", keys)
		}
	}
}

// A recording that is written again replaces its files, also those of days on which it has no calls
// any more. Other recordings stay.
func TestReplaced(t *testing.T) {
	for keys, prefix := range map[string]string{"host,date": "host=web1/date=", "date,host": "date="} {
		dir := t.TempDir()
		err := write(t, dir, keys, call("one", "web1", "f", -time.Second, 1), call("one", "web1", "f", 0, 1), call("two", "web1", "f", -time.Second, 1))
		if err == nil {
			err = write(t, dir, keys, call("one", "web1", "f", 0, 1))
		}
		if err != nil {
			t.Fatal(err)
		}
		got := files(t, filepath.Join(dir, "calls"))
		if len(got) != 2 || !strings.HasPrefix(got[0], prefix+"2026-11-29") || !strings.HasSuffix(got[0], "two.parquet") ||
			!strings.HasPrefix(got[1], prefix+"2026-11-30") || !strings.HasSuffix(got[1], "one.parquet") {
			t.Errorf("%s: %q", keys, got)
		}
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	if err := write(t, dir, "host,date", call("one", "web1", "f", 0, 1)); err != nil {
		t.Fatal(err)
	}
	before := files(t, dir)
	for keys, want := range map[string]string{
		"host":      "calls/host=web1 is partitioned by date as well",
		"date":      "calls is not partitioned by date: it has host=web1",
		"date,host": "calls is not partitioned by date",
	} {
		if err := write(t, dir, keys); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", keys, err, want)
		}
	}
	copied := call("two", "web1", "f", 0, 1)
	copied.Trace = "copy.arrow"
	err := write(t, dir, "host,date", call("two", "web1", "f", 0, 1), copied)
	if err == nil || !strings.Contains(err.Error(), "two.arrow and copy.arrow are the same recording") {
		t.Errorf("the same recording twice: %v", err)
	}
	d, err := NewDataset(dir, []Key{Host, Date})
	if err != nil {
		t.Fatal(err)
	}
	d.calls.recording = "three"
	for i := range maxDates + 1 {
		if _, err = d.calls.of(midnight.AddDate(0, 0, i)); (err != nil) != (i == maxDates) {
			t.Fatalf("day %d: %v", i, err)
		}
	}
	if err := d.Abort(); err != nil {
		t.Error(err)
	}
	if got := files(t, dir); !slices.Equal(got, before) {
		t.Errorf("a recording that failed has left files: %q", got)
	}
}

// A link in the dataset does not lead out of it.
func TestLink(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "calls"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(dir, "calls", "host=web1")); err != nil {
		t.Fatal(err)
	}
	if err := write(t, dir, "host,date", call("one", "web1", "f", 0, 1)); err == nil || len(files(t, elsewhere)) > 0 {
		t.Errorf("%v, %q", err, files(t, elsewhere))
	}
}

// Rows of a function that is called often are in row groups of their own, and these are sorted by
// time: their statistics say which of them a query needs.
func TestRowGroups(t *testing.T) {
	dir := t.TempDir()
	var calls []*analyze.Call
	for i := range 3 * functionRows {
		for _, function := range []string{"g", "f"} {
			calls = append(calls, call("one", "web1", function, time.Duration(i)*time.Millisecond, 1))
		}
	}
	calls = append(calls, call("one", "web1", "rare", 0, 1), call("one", "web1", "seldom", 0, 1))
	if err := write(t, dir, "host", calls...); err != nil {
		t.Fatal(err)
	}
	r, err := file.OpenParquetFile(filepath.Join(dir, "calls/host=web1/one.parquet"), false)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []string
	for i := range r.NumRowGroups() {
		group := r.MetaData().RowGroup(i)
		column, err := group.ColumnChunk(r.MetaData().Schema.ColumnIndexByName("function"))
		if err != nil {
			t.Fatal(err)
		}
		stats, err := column.Statistics()
		if err != nil || stats == nil {
			t.Fatal("no statistics", err)
		}
		got = append(got, fmt.Sprintf("%d %s %s", group.NumRows(), stats.EncodeMin(), stats.EncodeMax()))
	}
	want := []string{"24576 f f", "24576 g g", "2 rare seldom"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Histograms that grow too large are written early, and add up.
func TestHistograms(t *testing.T) {
	var hs histograms
	total, rows := map[string]float64{}, 0
	take := func() {
		for _, h := range hs.take() {
			rows++
			total["calls"] += h.calls
			total["complete"] += h.complete
			total["incomplete"] += float64(h.incomplete)
			total["errors"] += h.errors
			total["sum"] += h.sumNs
			for _, n := range h.buckets {
				total["buckets"] += n
			}
		}
	}
	const n = maxHistograms + 100
	for i := range n {
		c := call("one", "web1", fmt.Sprint(i%50), time.Duration(i/50)*time.Minute, time.Duration(i))
		c.Weight, c.Failed = 2, i%2 == 0
		if i%4 == 1 {
			c.State, c.Duration = analyze.Open, 0
		}
		hs.add(c)
		if hs.full() {
			take()
		}
	}
	if rows == 0 || rows == n {
		t.Errorf("%d rows were written early", rows)
	}
	take()
	sum := 0.0
	for i := range n {
		if i%4 != 1 {
			sum += 2 * float64(i)
		}
	}
	want := map[string]float64{"calls": 2 * n, "complete": 1.5 * n, "buckets": 1.5 * n, "incomplete": n / 4, "errors": n, "sum": sum}
	for name := range want {
		if total[name] != want[name] {
			t.Errorf("%s: %v, want %v", name, total[name], want[name])
		}
	}
	if rows != n {
		t.Errorf("%d rows, want %d", rows, n)
	}
}
