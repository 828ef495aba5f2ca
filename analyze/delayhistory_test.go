package analyze

import (
	"math/rand/v2"
	"testing"
)

// The delay at an earlier time is exact within a fiftieth of the time since then, and for dear hits
// that follow each other within the cost of two. The memory for it is limited.
func TestDelayHistory(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		what string
		next func(hit int) (afterNs, costNs int64)
		off  int64
	}{
		{"cheap hits", func(int) (int64, int64) { return 500 + rng.Int64N(20_000), rng.Int64N(900) }, 1000},
		{"dear hits", func(hit int) (int64, int64) {
			if hit%2 == 0 {
				return 9000 + rng.Int64N(5000), 2300
			}
			return 1100, 13_300 // of a return: it passes afterwards
		}, 30_000},
	} {
		room := maxAllDelayPoints
		var h delayHistory
		var exact []delayPoint
		now, sum := int64(0), int64(0)
		for hit := range 200_000 {
			after, cost := c.next(hit)
			now += after
			if now/3_000_000%2 != 0 { // it has no hits
				cost = 0
			}
			sum += cost
			h.add(now, cost, &room)
			exact = append(exact, delayPoint{now, sum})
			if len(h) > maxDelayPoints || cap(h) > 2*maxDelayPoints {
				t.Fatalf("%s: %d points, room for %d", c.what, len(h), cap(h))
			}
		}
		if h.sum() != sum {
			t.Errorf("%s: sum %d, want %d", c.what, h.sum(), sum)
		}
		for range 1000 {
			p := exact[rng.IntN(len(exact))]
			if d := h.at(p.atNs) - p.sumNs; max(d, -d) > (now-p.atNs)/50+c.off {
				t.Errorf("%s: %d ns ago: %d, want %d", c.what, now-p.atNs, h.at(p.atNs), p.sumNs)
			}
		}
		if used := maxAllDelayPoints - room; used > 2*maxDelayPoints {
			t.Errorf("%s: %d points taken", c.what, used)
		}
	}
}

// Without room, a thread knows its sum and little of its past. Nothing fails.
func TestDelayHistoryWithoutRoom(t *testing.T) {
	room := 16
	var h, none delayHistory
	for i := range int64(1000) {
		h.add(i*5000, 10, &room)
	}
	if h.sum() != 10_000 || len(h) > 16 {
		t.Errorf("sum %d, %d points", h.sum(), len(h))
	}
	if none.add(1000, 10, &room); none.sum() != 0 || none.at(500) != 0 {
		t.Errorf("%v", none)
	}
	if ns := none.follow(h, 0, 5_000_000, &room); ns != 0 {
		t.Errorf("%d", ns)
	}
}

// A thread that waits for another one is delayed as that one, and by no more than the time.
func TestDelayFollows(t *testing.T) {
	room := maxAllDelayPoints
	var waker, h delayHistory
	waker.add(10_000, 500, &room)
	waker.add(30_000, 8_000, &room)
	waker.add(50_000, 4_000, &room)
	waker.add(70_000, 90_000, &room)
	h.add(5_000, 100, &room)
	for range 2 { // the second wakeup of the same wait counts instead of the first
		if ns := h.follow(waker, 20_000, 40_000, &room); ns != 8_000 {
			t.Errorf("%d", ns)
		}
	}
	if h.at(20_000) != 100 || h.at(35_000) != 8_100 || h.sum() != 8_100 {
		t.Errorf("%v", h)
	}
	if ns := h.follow(waker, 50_000, 70_000, &room); ns != 20_000 {
		t.Errorf("%d, more than the time", ns)
	}
}
