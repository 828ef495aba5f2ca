package fleet

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"utrace/analyze"
	"utrace/analyze/render/columnar"
)

// Limits of the histograms that are kept until they are written.
const (
	maxHistograms = 1 << 14
	maxBuckets    = 1 << 20 // of all of them
)

// histogram is the calls of a function in a minute. All numbers of calls, and sums, are by weight.
type histogram struct {
	histogramKey
	recording              analyze.Call // a call of the recording: what all its rows have in common
	labels                 string
	calls, complete        float64
	incomplete             int64 // calls of the trace, without weight
	errors                 float64
	totalNs, selfNs, sumNs float64
	minNs, maxNs           int64
	buckets                map[int64]float64 // by the duration that represents the bucket
}

type histogramKey struct {
	function  analyze.Function
	process   string
	container string
	minute    int64 // Unix time, in minutes
}

func (h *histogram) time() time.Time { return time.Unix(60*h.minute, 0).UTC() }

// histogramColumns are the columns of histograms, in order.
func histogramColumns() []columnar.Column[histogram] {
	return []columnar.Column[histogram]{
		columnar.Text("recording", func(h *histogram) string { return h.recording.Recording }),
		columnar.Text("host", func(h *histogram) string { return h.recording.Host }),
		columnar.Text("process", func(h *histogram) string { return h.process }),
		columnar.Text("container", func(h *histogram) string { return h.container }),
		columnar.Text("version", func(h *histogram) string { return h.recording.Labels[versionLabel] }),
		columnar.Text("labels", func(h *histogram) string { return h.labels }),
		columnar.Time("minute", (*histogram).time),
		columnar.Text("function", func(h *histogram) string { return h.function.Name }),
		columnar.Text("module", func(h *histogram) string { return h.function.Module }),
		columnar.Text("build_id", func(h *histogram) string { return h.function.BuildID }),
		columnar.Repeated("address", func(h *histogram) int64 { return int64(h.function.Addr) }),
		columnar.Text("file", func(h *histogram) string { return h.function.File }),
		columnar.Int32("line", func(h *histogram) int32 { return lineNumber(&h.function) }),
		columnar.Text("provider", func(h *histogram) string { return h.function.Provider() }),
		columnar.Float64("calls", func(h *histogram) float64 { return h.calls }),
		columnar.Float64("complete", func(h *histogram) float64 { return h.complete }),
		columnar.Repeated("incomplete", func(h *histogram) int64 { return h.incomplete }),
		columnar.Float64("errors", func(h *histogram) float64 { return h.errors }),
		columnar.Float64("total_ns", func(h *histogram) float64 { return h.totalNs }),
		columnar.Float64("self_ns", func(h *histogram) float64 { return h.selfNs }),
		columnar.Float64("sum_ns", func(h *histogram) float64 { return h.sumNs }),
		columnar.OptionalInt64("min_ns", func(h *histogram) (int64, bool) { return h.minNs, len(h.buckets) > 0 }),
		columnar.OptionalInt64("max_ns", func(h *histogram) (int64, bool) { return h.maxNs, len(h.buckets) > 0 }),
		columnar.Int64List("bucket_ns", func(h *histogram) []int64 { return slices.Sorted(maps.Keys(h.buckets)) }),
		columnar.Float64List("bucket_calls", func(h *histogram) []float64 {
			var list []float64
			for _, ns := range slices.Sorted(maps.Keys(h.buckets)) {
				list = append(list, h.buckets[ns])
			}
			return list
		}),
	}
}

// histograms are the histograms of one recording that are not written yet. The zero value is empty.
type histograms struct {
	byKey   map[histogramKey]*histogram
	buckets int
	labels  labelText
}

// add counts a call.
func (hs *histograms) add(c *analyze.Call) {
	key := histogramKey{*c.Function, c.Process.Comm, c.Process.Container, c.Begin.Unix() / 60}
	h := hs.byKey[key]
	if h == nil {
		h = &histogram{histogramKey: key, recording: *c, labels: hs.labels.of(c), buckets: map[int64]float64{}}
		if hs.byKey == nil {
			hs.byKey = map[histogramKey]*histogram{}
		}
		hs.byKey[key] = h
	}
	h.calls += c.Weight
	if !c.Hit && c.State != analyze.Complete {
		h.incomplete++
	}
	if c.Failed {
		h.errors += c.Weight
	}
	h.totalNs += c.Weight * float64(c.Total)
	if !c.Hit && c.State == analyze.Complete {
		h.selfNs += c.Weight * float64(c.Self)
	}
	if hasDuration(c) && c.Weight > 0 {
		hs.duration(h, c)
	}
}

func (hs *histograms) duration(h *histogram, c *analyze.Call) {
	ns := int64(c.Duration)
	if len(h.buckets) == 0 {
		h.minNs = ns
	}
	h.minNs, h.maxNs = min(h.minNs, ns), max(h.maxNs, ns)
	h.complete += c.Weight
	h.sumNs += c.Weight * float64(ns)
	before := len(h.buckets)
	h.buckets[int64(analyze.BucketMiddle(c.Duration))] += c.Weight
	hs.buckets += len(h.buckets) - before
}

// full reports whether the histograms must be written before more calls are added.
func (hs *histograms) full() bool { return len(hs.byKey) >= maxHistograms || hs.buckets >= maxBuckets }

// take returns all histograms, by function and minute, and forgets them.
func (hs *histograms) take() []*histogram {
	list := slices.Collect(maps.Values(hs.byKey))
	slices.SortFunc(list, func(a, b *histogram) int {
		return cmp.Or(a.function.Compare(&b.function), cmp.Compare(a.minute, b.minute), strings.Compare(a.process, b.process))
	})
	*hs = histograms{}
	return list
}
