package format

import (
	"testing"
)

func TestOnlyCalls(t *testing.T) {
	for n := range 20 {
		b := Batch{Kind: make([]uint8, n)}
		for i := range b.Kind {
			b.Kind[i] = uint8(i % 4)
		}
		if !b.OnlyCalls() {
			t.Errorf("%d calls: no", n)
		}
		for i := range n {
			for _, k := range []Kind{Pause, StackBase, SchedIn, Wakeup, Exit, Sample, KindModule, 128} {
				was := b.Kind[i]
				if b.Kind[i] = uint8(k); b.OnlyCalls() {
					t.Errorf("kind %d in row %d of %d: yes", k, i, n)
				}
				b.Kind[i] = was
			}
		}
	}
}
