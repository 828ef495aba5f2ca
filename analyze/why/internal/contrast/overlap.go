package contrast

// Overlap tests the time of each call in which something else happened.
func (c *Contrast) Overlap(ns []float64) Share {
	slow := len(c.extra)
	part := make([]float64, len(ns)) // of the call's time
	for i := range ns {
		d := c.durationNs(i)
		if d > 0 {
			part[i] = min(1, ns[i]/d)
		}
	}
	typicalNs := sum(c.typical.DurationNs)
	if typicalNs <= 0 || c.Difference() <= 0 {
		return Share{P: 1}
	}
	usual := sum(ns[slow:]) / typicalNs
	figure := func(order []int) (extra float64) {
		for i := range slow {
			if c.explained[i] {
				continue
			}
			extra += (part[order[i]] - usual) * c.slow.DurationNs[i]
		}
		return extra / float64(slow) / c.Difference()
	}
	share := c.permute(figure(identity(len(ns))), figure)
	share.Part = min(1, max(0, figure(identity(len(ns)))))
	low, high := c.bootstrap(func(slowCalls, typicalCalls []int) float64 {
		slowNs, slowIn, typicalNs, typicalIn := 0.0, 0.0, 0.0, 0.0
		for _, i := range slowCalls {
			slowNs += c.slow.DurationNs[i]
			slowIn += ns[i]
		}
		for _, i := range typicalCalls {
			typicalNs += c.typical.DurationNs[i]
			typicalIn += ns[slow+i]
		}
		if typicalNs == 0 {
			return 0
		}
		n, m := float64(len(slowCalls)), float64(len(typicalCalls))
		difference := slowNs/n - typicalNs/m
		if difference <= 0 {
			return 0
		}
		return (slowIn - typicalIn/typicalNs*slowNs) / n / difference
	})
	share.Low, share.High = min(share.Part, max(0, low)), max(share.Part, min(1, high))
	return share
}

func (c *Contrast) durationNs(i int) float64 {
	if i < len(c.slow.DurationNs) {
		return c.slow.DurationNs[i]
	}
	return c.typical.DurationNs[i-len(c.slow.DurationNs)]
}
