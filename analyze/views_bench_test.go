package analyze_test

import (
	"io"
	"path/filepath"
	"testing"

	"utrace/analyze"
	"utrace/analyze/render"
	"utrace/analyze/render/fleet"
	"utrace/format"
)

// BenchmarkViews measures the views over a trace of nested calls in 8 threads, written to nothing.
func BenchmarkViews(b *testing.B) {
	n := analyze.BenchEvents(b) / 5
	path := filepath.Join(b.TempDir(), "trace.arrow")
	analyze.WriteCalls(b, path, n, 8, format.Calibration{})
	paths, opts := []string{path}, analyze.Options{}
	views := []struct {
		name string
		run  func() error
	}{
		{"report", func() error { _, err := analyze.Report(paths, opts); return err }},
		{"flow", func() error { _, err := render.Flow(io.Discard, paths, opts, render.DefaultFields()); return err }},
		{"arrows", func() error { _, err := render.FlowArrows(io.Discard, paths, opts); return err }},
		{"tree", func() error { _, err := analyze.CallTree(paths, opts); return err }},
		{"slowest", func() error { _, err := analyze.Slowest(paths, 10, opts); return err }},
		{"parquet", func() error {
			w, err := fleet.NewCallWriter(io.Discard)
			if err != nil {
				return err
			}
			if _, err := analyze.EachCall(paths, opts, w.Write); err != nil {
				return err
			}
			return w.Close()
		}},
	}
	for _, v := range views {
		b.Run(v.name, func(b *testing.B) {
			before := analyze.CPUSeconds()
			for b.Loop() {
				if err := v.run(); err != nil {
					b.Fatal(err)
				}
			}
			events := float64(n) * float64(b.N)
			b.ReportMetric(events/b.Elapsed().Seconds()/1e6, "Mevents/s")
			b.ReportMetric((analyze.CPUSeconds()-before)*1e9/events, "cpu-ns/event")
		})
	}
}
