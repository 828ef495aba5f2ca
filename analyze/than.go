package analyze

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Than says which calls are slow: those that take longer than a percentile of all calls, or than a
// duration. The zero value is the percentile P99.
type Than struct {
	perMille uint64
	duration time.Duration
}

// ParseThan reads a percentile such as P99 or P99.9, or a duration such as 1ms. It fails for other
// text, and for percentiles that are not above P75 or have more than one decimal.
func ParseThan(text string) (Than, error) {
	if digits, ok := strings.CutPrefix(strings.ToUpper(text), "P"); ok {
		percent, err := strconv.ParseFloat(digits, 64)
		perMille := math.Round(10 * percent)
		if err != nil || !(perMille > 750 && perMille < 1000) || math.Abs(perMille-10*percent) > 1e-6 {
			return Than{}, fmt.Errorf("percentile %s: want one above P75, such as P90, P99 or P99.9", text)
		}
		return Than{perMille: uint64(perMille)}, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return Than{}, fmt.Errorf("%q: want a percentile such as P99, or a duration such as 1ms", text)
	}
	return Than{duration: d}, nil
}

// of returns the duration above which a call is slow. Of a percentile, it is where its bucket begins:
// calls that are nearly alike should all be slow.
func (t Than) of(s *Stats) time.Duration {
	switch {
	case t.duration > 0:
		return t.duration
	case t.perMille > 0:
		return bucketBegin(s.Quantile(t.perMille))
	}
	return bucketBegin(s.Quantile(990))
}

// bucketBegin returns about where the bucket around a percentile begins.
func bucketBegin(d time.Duration) time.Duration { return nanoseconds((1 - BucketWidth/2) * float64(d)) }
