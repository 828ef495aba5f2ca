package why

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"utrace/analyze"
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

// limits returns the limits of slow and typical calls. Of a percentile, slow calls begin where its
// bucket begins: calls that are nearly alike should all be slow.
func (t Than) limits(s *analyze.Stats) analyze.Limits {
	l := analyze.Limits{Low: bucketBegin(s.Quantile(250)), High: nanoseconds((1 + analyze.BucketWidth/2) * float64(s.Quantile(750)))}
	switch {
	case t.duration > 0:
		l.Than = t.duration
		l.High = min(l.High, l.Than)
	case t.perMille > 0:
		l.Than = max(l.High, bucketBegin(s.Quantile(t.perMille))) // most calls may be alike
	default:
		l.Than = max(l.High, bucketBegin(s.Quantile(990)))
	}
	return l
}

// bucketBegin returns about where the bucket around a percentile begins.
func bucketBegin(d time.Duration) time.Duration {
	return nanoseconds((1 - analyze.BucketWidth/2) * float64(d))
}
