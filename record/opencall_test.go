//go:build linux

package record

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"utrace/bpf"
	"utrace/record/plan"
)

// TestOpenCalls: a call that has not returned is kept only if it would be kept whatever it
// returned.
func TestOpenCalls(t *testing.T) {
	program, err := filepath.Abs("../testdata/elf/pie.elf")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"ret == 1":                       false,
		"ret != 1":                       false,
		"ret >= 1":                       false,
		"!(ret < 5) || !(ret < 7)":       false,
		"ret < 5 || ret >= 5":            false, // always true, but each comparison is decided by itself
		"duration > 1ms":                 true,
		"duration < 1ms":                 false,
		"duration > 1ms && ret == 1":     false,
		"duration > 1ms || ret == 1":     true,
		"ret == 1 || duration > 1ms":     true,
		"n == 1 && duration > 1ms":       true,
		"n == 2 && duration > 1ms":       false,
		"ret == 3 && n == 2 || n == 1":   true,
		"!(n == 2) && !(duration < 1us)": true,
	} {
		probes, err := ParseProbes(program + ":again(n:u8) -> s32 if " + text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := plan.New(plan.Config{Probes: probes})
		if err != nil {
			t.Fatal(err)
		}
		conds := p.Modules[0].Funcs[0].Conditions()
		p.Close()
		held := uint16(0) // for a call with n == 1
		for i, c := range conds {
			if !c.Late && (c.Value == 1) != c.Negate {
				held |= 1 << i
			}
		}
		if got := decideOpen(conds, held, uint64(2*time.Millisecond)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestOpenCallsAtEnd: a call has lasted until now. It has not lasted at all if it was entered after
// the probes were turned off, or if its process has ended or executed another program.
func TestOpenCallsAtEnd(t *testing.T) {
	long := bpf.Cond{Op: bpf.CondLess, Arg: bpf.CondDuration, Late: true, Value: uint64(time.Second), Yes: bpf.CondDrop, No: bpf.CondKeep}
	c := &catalog{funcs: []probedFunc{{planned: &plan.Func{Entry: &bpf.Site{NumConds: 1, Conds: [bpf.MaxConds]bpf.Cond{long}}}}}}
	const nowNs = 10e9
	open := []bpf.OpenCall{{Event: bpf.Event{TimeNs: nowNs - 2e9, TID: 1}}, {Event: bpf.Event{TimeNs: nowNs - 1e6, TID: 2}}, {Event: bpf.Event{TimeNs: nowNs + 1, TID: 3}},
		{Event: bpf.Event{TimeNs: nowNs - 5e9, PID: 4, TID: 4, GoID: 1}}, {Event: bpf.Event{TimeNs: nowNs - 3e9, PID: 4, TID: 5, GoID: 1}}}
	var kept []uint32
	for _, call := range keepOpen(open, c, map[uint32]uint64{4: nowNs - 4e9}, nowNs) {
		if call.kept {
			kept = append(kept, call.call.TID)
		}
	}
	if want := []uint32{5, 1}; !slices.Equal(kept, want) {
		t.Errorf("kept are the calls of threads %v, want %v", kept, want)
	}
}
