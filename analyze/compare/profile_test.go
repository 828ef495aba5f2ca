package compare

import (
	"os"
	"strings"
	"testing"

	"utrace/analyze"
)

// If only one of two traces has the scheduler, the profile of the differences has what both have.
func TestProfileOfOneWithScheduler(t *testing.T) {
	text, err := os.ReadFile("../../testdata/traces/sched.txt")
	if err != nil {
		t.Fatal(err)
	}
	with := wholeTrace(t, string(text))
	without := wholeTrace(t, strings.Replace(string(text), `"sched":true`, `"sched":false`, 1))
	for _, paths := range [][2]string{{with, without}, {without, with}} {
		p, _, err := Profile(paths[:1], paths[1:], analyze.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.SampleType) != 2 || p.SampleType[0].Type != "calls" || p.SampleType[1].Type != "wall" {
			t.Errorf("sample types %v", p.SampleType)
		}
		if err := p.CheckValid(); err != nil {
			t.Error(err)
		}
	}
}
