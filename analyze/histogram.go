package analyze

import (
	"math"
	"math/bits"
	"time"

	"utrace/analyze/internal/estimate"
)

// BucketWidth is the largest width of a bucket of a Histogram, as a part of its lower bound.
const BucketWidth = 1.0 / subBuckets

// subBuckets is the number of buckets to an octave. A bucket is at most 1/64 of its lower bound
// wide, and its middle represents it. So a quantile is wrong by at most 1/128, 0.8%.
const subBuckets = 64

// histogramPages is enough for every uint64: the values below 64, then an octave a page.
const histogramPages = 1 + 64 - 6

// Histogram is a distribution of durations. Quantiles have a relative error of at most 1%; count,
// sum, minimum and maximum are exact. Merging histograms gives the same as adding all values to
// one. The zero value is empty and ready.
type Histogram struct {
	count    uint64
	sum      int64
	min, max int64 // valid when count > 0
	pages    [histogramPages]*[subBuckets]uint64
}

// Add counts a duration. Negative ones count as 0.
func (h *Histogram) Add(d time.Duration) { h.insert(h.note(d)) }

// note is the part of Add that needs no buckets. Its result must be passed to insert.
func (h *Histogram) note(d time.Duration) int64 {
	v := max(int64(d), 0)
	if h.count == 0 || v < h.min {
		h.min = v
	}
	h.max = max(h.max, v)
	h.count++
	h.sum += v
	return v
}

// insert counts a duration in its bucket.
func (h *Histogram) insert(v int64) {
	page, bucket := bucketOf(v)
	p := h.pages[page]
	if p == nil {
		p = new([subBuckets]uint64)
		h.pages[page] = p
	}
	p[bucket]++
}

// bucketOf returns the bucket of a value. Pages 0 and 1 are exact (0..63 and 64..127). Page p holds
// the values of 6+p bits; the upper 7 bits select the bucket.
func bucketOf(v int64) (page int, bucket uint64) {
	bucket = uint64(v)
	if bucket >= subBuckets {
		page = bits.Len64(bucket) - 6
		bucket >>= uint(page - 1)
	}
	return page, bucket % subBuckets
}

// BucketMiddle returns the duration that represents all durations in the bucket of d, in every
// Histogram. Negative durations count as 0.
func BucketMiddle(d time.Duration) time.Duration {
	page, bucket := bucketOf(max(int64(d), 0))
	return time.Duration(bucketMiddle(page, int(bucket)))
}

// Merge adds all durations of other.
func (h *Histogram) Merge(other *Histogram) {
	if other.count == 0 {
		return
	}
	if h.count == 0 || other.min < h.min {
		h.min = other.min
	}
	h.max = max(h.max, other.max)
	h.count += other.count
	h.sum += other.sum
	for i, from := range other.pages {
		if from == nil {
			continue
		}
		if h.pages[i] == nil {
			h.pages[i] = new([subBuckets]uint64)
		}
		for b, n := range from {
			h.pages[i][b] += n
		}
	}
}

// Count returns the number of durations.
func (h *Histogram) Count() uint64 { return h.count }

// Sum returns the sum of all durations.
func (h *Histogram) Sum() time.Duration { return time.Duration(h.sum) }

// Min returns the smallest duration, 0 if there is none.
func (h *Histogram) Min() time.Duration { return time.Duration(h.min) }

// Max returns the largest duration, 0 if there is none.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max) }

// Mean returns the arithmetic mean, 0 if there is none.
func (h *Histogram) Mean() time.Duration {
	if h.count == 0 {
		return 0
	}
	return time.Duration(h.sum / int64(h.count))
}

// Quantile returns the shortest duration such that perMille thousandths of all are no longer (500:
// the median), with a relative error of at most 1%. It returns 0 if there are no durations.
func (h *Histogram) Quantile(perMille uint64) time.Duration {
	if h.count == 0 {
		return 0
	}
	return h.Rank(h.count/1000*perMille + (h.count%1000*perMille+999)/1000)
}

// Rank returns the duration at a rank, with a relative error of at most 1%: 1 is the shortest, as
// is 0, and Count the longest. There must be at least one duration.
func (h *Histogram) Rank(rank uint64) time.Duration {
	if rank >= h.count {
		return h.Max()
	}
	if rank <= 1 {
		return h.Min()
	}
	seen := uint64(0)
	for page, counts := range h.pages {
		if counts == nil {
			continue
		}
		for bucket, n := range counts {
			if seen += n; seen >= rank {
				return time.Duration(min(max(bucketMiddle(page, bucket), h.min), h.max))
			}
		}
	}
	return h.Max()
}

// Bucket counts the durations in Low..High.
type Bucket struct {
	Low, High time.Duration
	Calls     uint64
}

// Buckets returns the buckets that are not empty, shortest first. None is wider than BucketWidth of
// its lower bound, or than 1 ns.
func (h *Histogram) Buckets() (list []Bucket) {
	for page, counts := range h.pages {
		if counts == nil {
			continue
		}
		for b, n := range counts {
			if n > 0 {
				list = append(list, Bucket{time.Duration(bucketFloor(page, b)), time.Duration(bucketFloor(page, b+1) - 1), n})
			}
		}
	}
	return list
}

// points are the durations of complete calls, and of calls that were cut off, in order.
func points(complete, cut *Histogram) (list []estimate.Point) {
	for page := range histogramPages {
		if complete.pages[page] == nil && cut.pages[page] == nil {
			continue
		}
		for b := range subBuckets {
			p := estimate.Point{Ended: complete.in(page, b), Cut: cut.in(page, b)}
			switch middle := bucketMiddle(page, b); {
			case p.Ended > 0:
				p.At = float64(min(max(middle, complete.min), complete.max))
			case p.Cut > 0:
				p.At = float64(min(max(middle, cut.min), cut.max))
			default:
				continue
			}
			list = append(list, p)
		}
	}
	return list
}

// in returns the number of durations in a bucket.
func (h *Histogram) in(page, bucket int) uint64 {
	if h.pages[page] == nil {
		return 0
	}
	return h.pages[page][bucket]
}

// octaves is the number of octaves of durations: 0 and 1, then 2..3, 4..7 and so on.
const octaves = 64

// Octaves counts durations by their number of binary digits (0 has one): [0] counts 0 and 1 ns, [1]
// 2 and 3 ns, [2] 4 to 7 ns, and so on. The counts are exact.
func (h *Histogram) Octaves() [octaves]uint64 {
	var counts [octaves]uint64
	for page, buckets := range h.pages {
		if buckets == nil {
			continue
		}
		for b, n := range buckets {
			if page == 0 {
				counts[octave(int64(b))] += n
			} else {
				counts[page+5] += n
			}
		}
	}
	return counts
}

// OctaveStart returns the shortest duration of an octave, as Octaves numbers them.
func OctaveStart(o int) time.Duration {
	if o == 0 {
		return 0
	}
	return time.Duration(min(1<<o, uint64(math.MaxInt64)))
}

// octave returns the number of the octave of a duration.
func octave(ns int64) int { return max(1, bits.Len64(uint64(ns))) - 1 }

// Longest chooses about the maxCount longest durations, and not more. These are all of at least
// sure, and room more of at least some, which are nearly alike. If there are no more than maxCount
// durations, sure and some are 0.
func (h *Histogram) Longest(maxCount uint64) (sure, some time.Duration, room uint64) {
	seen := uint64(0)
	for page := len(h.pages) - 1; page >= 0; page-- {
		if h.pages[page] == nil {
			continue
		}
		for b := subBuckets - 1; b >= 0; b-- {
			n := h.pages[page][b]
			if seen+n > maxCount {
				return time.Duration(bucketFloor(page, b+1)), time.Duration(bucketFloor(page, b)), maxCount - seen
			}
			seen += n
		}
	}
	return 0, 0, maxCount - seen
}

// bucketFloor returns the smallest value of a bucket, or of the one after it in the next octave.
func bucketFloor(page, bucket int) int64 {
	if page == 0 {
		return int64(bucket)
	}
	return int64(min(uint64(subBuckets+bucket)<<(page-1), math.MaxInt64))
}

// bucketMiddle returns the value that represents all values of a bucket.
func bucketMiddle(page, bucket int) int64 {
	if page == 0 {
		return int64(bucket)
	}
	width := int64(1) << (page - 1)
	return (subBuckets+int64(bucket))*width + width/2
}
