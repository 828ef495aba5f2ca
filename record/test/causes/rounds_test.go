//go:build linux

package causes

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

// TestRounds records each mode as often as UTRACE_CAUSES says, with named probes and as a survey. It
// prints how often the cause was named first. Less than the wanted part of the rounds is a failure.
func TestRounds(t *testing.T) {
	rounds, _ := strconv.Atoi(os.Getenv("UTRACE_CAUSES"))
	if rounds == 0 {
		t.Skip("only in make causes")
	}
	harness.NeedKernel(t)
	program := harness.Target(t, "causes.c", "-O2", "-pthread")
	var table strings.Builder
	for _, p := range planted {
		for _, kind := range []struct {
			name   string
			probes []string
			right  func(*explanation) bool
			wanted float64 // part of the rounds
		}{
			{"named", namedProbes(), p.named, 0.95},
			{"survey", nil, p.survey, 0.75},
		} {
			wanted := kind.wanted
			if p.mode == "none" {
				wanted = 0.95
			}
			t.Run(p.mode+"/"+kind.name, func(t *testing.T) {
				right := 0
				for range rounds {
					x := explain(t, program, p.mode, kind.probes)
					if kind.right(x) {
						right++
						continue
					}
					t.Logf("wrong: %s %+v", x.Reason, x.Causes)
				}
				fmt.Fprintf(&table, "%-10s%-8s%d of %d\n", p.mode, kind.name, right, rounds)
				if float64(right) < wanted*float64(rounds) {
					t.Errorf("want %.0f%% of the rounds", 100*wanted)
				}
			})
		}
	}
	t.Logf("the cause is named first in:\n%s", table.String())
}
