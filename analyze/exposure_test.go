package analyze

import (
	"fmt"
	"strings"
	"testing"
)

// Without rows of the scheduler, a function is marked if nothing happened in its calls while other
// threads were in probes, for 5% of its time.
func TestAwaitsProbes(t *testing.T) {
	defs := strings.Replace(handoffDefs, `"sched":true`, "", 1)
	const request = "%d 0 entry 0 sp=0x1000\n%d 0 return 0 sp=0x1000\n"
	requests := fmt.Sprintf(request, 100000, 200000) + fmt.Sprintf(request, 210000, 310000)
	for name, c := range map[string]struct {
		events string
		marked bool
	}{
		"others in probes":     {requests + stepCalls(1, 1000, 100, 3000), true},
		"several of them":      {requests + stepCalls(1, 1000, 50, 6000) + stepCalls(2, 2000, 50, 6000), true},
		"few probes":           {requests + stepCalls(1, 1000, 30, 9000), false},
		"one thread":           {requests, false},
		"its own probes":       {"100000 0 entry 0 sp=0x1000\n" + stepCalls(0, 101000, 60, 3000) + "290000 0 return 0 sp=0x1000\n", false},
		"its own, at the time": {"1000 0 entry 0 sp=0x1000\n" + stepCalls(0, 2000, 98, 3000) + "300000 0 return 0 sp=0x1000\n" + stepCalls(1, 1000, 100, 3000), false},
	} {
		path := writeTrace(t, defs+inOrder(c.events)+"end {}\n")
		for _, raw := range []bool{false, true} {
			r, err := Report([]string{path}, Options{Raw: raw, Function: requestOnly(t)})
			if err != nil {
				t.Fatal(err)
			}
			want := c.marked && !raw
			if row := &r.Rows[0]; row.AwaitsProbes != want || r.AwaitingProbes() == 1 != want {
				t.Errorf("%s, raw %v: marked %v (%d of %d ns), %d functions", name, raw, row.AwaitsProbes, row.Exposed, row.Total, r.AwaitingProbes())
			}
		}
	}
}

// What others spent in probes between two batches of a thread counts as well.
func TestExposureAcrossBatches(t *testing.T) {
	defs := strings.Replace(handoffDefs, `"sched":true`, "", 1)
	events := "1000 0 entry 0 sp=0x1000\n" + stepCalls(1, 1000, 10, 2000) + "flush\n" + stepCalls(1, 30000, 100, 2000) + "flush\n" +
		"300000 1 entry 1 sp=0x100\n301000 1 return 1 sp=0x100\n500000 0 return 0 sp=0x1000\n"
	r, err := Report([]string{writeTrace(t, defs+events+"end {}\n")}, Options{Function: requestOnly(t)})
	if err != nil {
		t.Fatal(err)
	}
	if row := &r.Rows[0]; row.Exposed < 110*400 || row.Exposed > 112*400 || !row.AwaitsProbes {
		t.Errorf("%d ns of probes, marked %v", row.Exposed, row.AwaitsProbes)
	}
}

func requestOnly(t *testing.T) *Pattern {
	t.Helper()
	p, err := ParsePattern("request")
	if err != nil {
		t.Fatal(err)
	}
	return p
}
