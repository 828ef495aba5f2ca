//go:build linux

package calls

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

// TestTailCallChains: the kernel reports 64 returns of each chain of 101 tail calls, those of its
// outermost calls. All of them are one trap, so the probes of a program that does nothing else take
// less than its time.
func TestTailCallChains(t *testing.T) {
	harness.NeedKernel(t)
	chains := harness.Target(t, "chains.c", "-O2")
	r := harness.Record(t, []string{"-e", "chain_*"}, chains, "5", "100")
	harness.WantCounts(t, "calls", r.Calls(), map[string]uint64{"chain_even": 5 * 51, "chain_odd": 5 * 50})
	harness.WantCounts(t, "incomplete calls", r.Incomplete(), map[string]uint64{"chain_even": 5 * (51 - 32), "chain_odd": 5 * (50 - 32)})
	if warnings := strings.Join(r.Warnings, "\n"); !strings.Contains(warnings, "185 incomplete calls were more than 64 traced calls deep") {
		t.Errorf("warnings: %s", warnings)
	}

	trace := filepath.Join(t.TempDir(), "trace.arrow")
	_, stderr, status := harness.Utrace(t, "record", "-o", trace, "-e", "chain_*", chains, "2000", "59")
	if status != 0 {
		t.Fatal(stderr)
	}
	header, _, _ := harness.Utrace(t, "analyze", trace)
	shares := regexp.MustCompile(`([0-9.]+)% of (one processor|the)`).FindAllStringSubmatch(stderr+header, -1)
	if len(shares)+strings.Count(stderr+header, "nearly all ") != 2 {
		t.Errorf("want two shares of the probes:\n%s%s", stderr, header)
	}
	for _, share := range shares {
		if percent, err := strconv.ParseFloat(share[1], 64); err != nil || percent > 100 {
			t.Errorf("the probes took %s", share[0])
		}
	}
}
