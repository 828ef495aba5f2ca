package estimate

// Point counts the calls of a duration.
type Point struct {
	At    float64 // duration
	Ended uint64  // complete calls that took as long
	Cut   uint64  // calls that were cut off then
}

// Curve is the share of calls that last longer than a duration, by Kaplan and Meier.
type Curve struct {
	points []Point
	left   []float64 // behind each of points
}

// NewCurve makes a curve from points in the order of their durations. Calls that were cut off at a
// duration were seen to last as long.
func NewCurve(points []Point) *Curve {
	c := &Curve{points: points, left: make([]float64, len(points))}
	open := uint64(0)
	for i := range points {
		open += points[i].Ended + points[i].Cut
	}
	left := 1.0
	for i, p := range points {
		if p.Ended > 0 {
			left *= float64(open-p.Ended) / float64(open)
		}
		c.left[i] = left
		open -= p.Ended + p.Cut
	}
	return c
}

// Quantile returns the shortest duration such that a share of the calls take no longer. If that is
// unknown, known is false, and the calls take at least as long as the duration returned.
func (c *Curve) Quantile(share float64) (at float64, known bool) {
	const rounding = 1e-9
	for i, left := range c.left {
		if left <= 1-share+rounding && c.points[i].Ended > 0 {
			return c.points[i].At, true
		}
	}
	return c.longest(), false
}

// Mean returns the mean duration, and the part of it that calls have whose end was not seen: they
// count as if they had ended at the longest duration.
func (c *Curve) Mean() (mean, unseen float64) {
	mean = c.moment(func(at float64) float64 { return at })
	return mean, c.beyond() * c.longest()
}

// Square returns the mean of the squares of the durations.
func (c *Curve) Square() float64 { return c.moment(func(at float64) float64 { return at * at }) }

// moment is the mean of a function of the duration.
func (c *Curve) moment(f func(float64) float64) (sum float64) {
	before := 1.0
	for i, left := range c.left {
		sum += (before - left) * f(c.points[i].At)
		before = left
	}
	return sum + c.beyond()*f(c.longest())
}

// beyond is the share of calls that last longer than any that was seen.
func (c *Curve) beyond() float64 {
	if len(c.left) == 0 {
		return 0
	}
	return c.left[len(c.left)-1]
}

func (c *Curve) longest() float64 {
	if len(c.points) == 0 {
		return 0
	}
	return c.points[len(c.points)-1].At
}
