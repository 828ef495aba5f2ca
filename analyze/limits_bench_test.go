package analyze

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"utrace/format"
)

// BenchmarkLimits measures what bounds a report: zstd, by the columns that a report reads of the
// trace of BenchmarkReport, and memory. zstd -t decompresses and checks them on one processor.
func BenchmarkLimits(b *testing.B) {
	zstd, err := exec.LookPath("zstd")
	if err != nil {
		b.Skip("there is no zstd")
	}
	n := benchEvents(b)
	dir := b.TempDir()
	path, columns := filepath.Join(dir, "trace.arrow"), filepath.Join(dir, "columns")
	writeCalls(b, path, n, 8)
	rows, size := writeColumns(b, path, columns)
	if out, err := exec.Command(zstd, "-q", columns).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	b.ResetTimer()
	var test, report time.Duration
	memory := time.Hour // the shortest: other programs only make it longer
	from, to := make([]byte, 64<<20), make([]byte, 64<<20)
	copy(to, from)
	for b.Loop() {
		cmd := exec.Command(zstd, "-q", "-t", columns+".zst")
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		test += cmd.ProcessState.UserTime()
		before := cpuSeconds()
		if _, err := Report([]string{path}, Options{}); err != nil {
			b.Fatal(err)
		}
		report += time.Duration((cpuSeconds() - before) * 1e9)
		for range 20 {
			start := time.Now()
			copy(to, from)
			memory = min(memory, time.Since(start))
		}
	}
	perRow := func(d time.Duration) float64 { return float64(d) / float64(b.N) / float64(rows) }
	copyNs := float64(memory) / float64(len(from)) * float64(size) / float64(rows)
	b.ReportMetric(perRow(report), "report-cpu-ns/event")
	b.ReportMetric(perRow(test), "zstd-t-cpu-ns/event")
	b.ReportMetric(copyNs, "copy-ns/event")
	b.ReportMetric(100*perRow(test)/perRow(report), "zstd-percent")
}

// writeColumns writes the columns that a report reads. It returns the number of rows, and the size.
func writeColumns(tb testing.TB, trace, path string) (rows, size int) {
	r, err := format.Open(trace)
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Close()
	decoder, err := format.NewDecoder()
	if err != nil {
		tb.Fatal(err)
	}
	defer decoder.Close()
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var m format.Message
	var b format.Batch
	for r.Next(&m) == nil {
		if err := decoder.Decode(&m, format.Columns{}, &b); err != nil {
			tb.Fatal(err)
		}
		if len(b.Defs) > 0 || b.Rows == 0 {
			continue
		}
		rows += b.Rows
		for _, column := range [][]uint32{b.DeltaNs, b.Thread, b.Func, b.StackBytes} {
			f.Write(unsafe.Slice((*byte)(unsafe.Pointer(&column[0])), 4*len(column)))
		}
		if _, err := f.Write(b.Kind); err != nil {
			tb.Fatal(err)
		}
	}
	return rows, rows * (4*4 + 1)
}
