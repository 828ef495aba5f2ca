package condition

import (
	"cmp"
	"strconv"
)

// Number holds any int64 or uint64 exactly, or a float64.
type Number struct {
	Magnitude uint64
	Negative  bool
	Float     float64 // instead, if IsFloat
	IsFloat   bool
}

// ParseNumber reads a number. A whole number of more than 64 bits becomes a float. It reports false
// if text is no number.
func ParseNumber(text string) (Number, bool) {
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		return Signed(n), true
	}
	if n, err := strconv.ParseUint(text, 0, 64); err == nil {
		return Number{Magnitude: n}, true
	}
	f, err := strconv.ParseFloat(text, 64)
	return Number{Float: f, IsFloat: true}, err == nil
}

// Signed returns a signed number.
func Signed(n int64) Number {
	if n < 0 {
		return Number{Magnitude: -uint64(n), Negative: true}
	}
	return Number{Magnitude: uint64(n)}
}

// String writes a number as people do.
func (n Number) String() string {
	switch {
	case n.IsFloat:
		return strconv.FormatFloat(n.Float, 'g', -1, 64)
	case n.Negative:
		return "-" + strconv.FormatUint(n.Magnitude, 10)
	}
	return strconv.FormatUint(n.Magnitude, 10)
}

// Compare returns -1, 0 or 1 if n is less than, equal to or greater than m.
func (n Number) Compare(m Number) int {
	switch {
	case n.IsFloat || m.IsFloat:
		return cmp.Compare(n.float(), m.float())
	case n.Negative != m.Negative:
		if n.Negative {
			return -1
		}
		return 1
	case n.Negative:
		return cmp.Compare(m.Magnitude, n.Magnitude)
	}
	return cmp.Compare(n.Magnitude, m.Magnitude)
}

func (n Number) float() float64 {
	switch {
	case n.IsFloat:
		return n.Float
	case n.Negative:
		return -float64(n.Magnitude)
	}
	return float64(n.Magnitude)
}
