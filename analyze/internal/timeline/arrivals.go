package timeline

// Limits of arrivals.
const (
	maxSlots  = 1 << 17
	minSlotNs = 1 << 16
)

// coarseSlots is the shortest time, in slots, for which the number of arrivals is known well enough.
const coarseSlots = 4

// Arrivals counts the beginnings of calls in slots of time. It does not know how long the trace is:
// it halves its resolution whenever it runs out of slots.
type Arrivals struct {
	slotNs int64
	counts []uint32
}

// ResolutionNs is the shortest time for which the number of arrivals is known well enough.
func (a *Arrivals) ResolutionNs() int64 { return coarseSlots * a.slotNs }

// NewArrivals returns arrivals without any.
func NewArrivals() Arrivals { return Arrivals{slotNs: minSlotNs} }

// Add adds the beginning of a call, in nanoseconds since the start of its trace.
func (a *Arrivals) Add(ns int64) { a.count(ns, 1) }

func (a *Arrivals) count(ns int64, n uint32) {
	for ns/a.slotNs >= maxSlots {
		a.coarsen()
	}
	slot := int(max(0, ns) / a.slotNs)
	if slot >= len(a.counts) {
		a.counts = append(a.counts, make([]uint32, slot+1-len(a.counts))...)
	}
	a.counts[slot] += n
}

func (a *Arrivals) coarsen() {
	for i, n := range a.counts {
		a.counts[i] = 0
		a.counts[i/2] += n
	}
	a.counts = a.counts[:(len(a.counts)+1)/2]
	a.slotNs *= 2
}

// Merge adds the arrivals of another part of the trace.
func (a *Arrivals) Merge(part *Arrivals) {
	for a.slotNs < part.slotNs {
		a.coarsen()
	}
	for slot, n := range part.counts {
		if n > 0 {
			a.count(int64(slot)*part.slotNs, n)
		}
	}
}

// Sums returns the number of arrivals before each slot.
func (a *Arrivals) Sums() []float64 {
	sums := make([]float64, len(a.counts)+1)
	for i, n := range a.counts {
		sums[i+1] = sums[i] + float64(n)
	}
	return sums
}

// Before returns about how many calls began before a time, by the result of Sums.
func (a *Arrivals) Before(sums []float64, ns int64) float64 {
	slot := max(0, ns) / a.slotNs
	if slot >= int64(len(a.counts)) {
		return sums[len(a.counts)]
	}
	part := float64(max(0, ns)-slot*a.slotNs) / float64(a.slotNs)
	return sums[slot] + part*float64(a.counts[slot])
}
