package contrast

// Part is the time of a call in one place.
type Part struct {
	Place uint32
	Ns    float64
}

// Places returns the interval of each place's share of the difference, for places below count.
// shares are their shares as counted over all calls; slow and typical are the parts of the calls in
// both groups.
func (c *Contrast) Places(shares []float64, slow, typical [][]Part) []Share {
	count := len(shares)
	list := make([]Share, count)
	figures := make([][]float64, count)
	rng := generator()
	s, t := make([]int, len(slow)), make([]int, len(typical))
	for range resamples {
		sums := make([]float64, count)
		difference := 0.0
		draw(rng, s)
		draw(rng, t)
		for _, i := range s {
			difference += c.slow.DurationNs[i] / float64(len(s))
			for _, p := range slow[i] {
				sums[p.Place] += p.Ns / float64(len(s))
			}
		}
		for _, i := range t {
			difference -= c.typical.DurationNs[i] / float64(len(t))
			for _, p := range typical[i] {
				sums[p.Place] -= p.Ns / float64(len(t))
			}
		}
		for p := range sums {
			if difference > 0 {
				figures[p] = append(figures[p], sums[p]/difference)
			}
		}
	}
	for p := range list {
		low, high := percentiles(figures[p])
		list[p] = Share{Part: shares[p], Low: min(shares[p], low), High: max(shares[p], high)}
	}
	return list
}
