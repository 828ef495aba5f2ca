//go:build linux

package record

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/plan"
)

// TestDroppedRows: calls of several names that are one function in the trace are added up. Calls
// whose name was never sent are counted.
func TestDroppedRows(t *testing.T) {
	c := &catalog{
		funcs: []probedFunc{{id: 3}, {id: 4, others: 9}},
		named: map[nameKey]format.FuncID{{0, 100}: 7, {1, 100}: 8},
	}
	dropped := map[droppedKey]*bpf.Dropped{}
	for _, d := range []bpf.Dropped{
		{Func: 0, TGID: 1, Complete: 1},
		{Func: 0, TGID: 1, Name: 100, Complete: 2, SumNs: 20},
		{Func: 0, TGID: 1, Name: 101, Complete: 4, Incomplete: 5}, // never sent
		{Func: 1, TGID: 1, Name: 100, Complete: 6},
		{Func: 1, TGID: 1, Name: 101, Complete: 10, Incomplete: 1, SumNs: 1, TotalNs: 2, SelfNs: 3, InsideNs: 4}, // beyond maxNames
		{Func: 1, TGID: 1, Name: 102, Complete: 20, Incomplete: 2, SumNs: 10, TotalNs: 20, SelfNs: 30, InsideNs: 40},
		{Func: 1, TGID: 2, Name: 102, Complete: 30},
		{Func: 2, TGID: 1, Complete: 100}, // unknown
	} {
		dropped[droppedKey{d.Func, d.TGID, d.Name}] = &d
	}
	rows, unnamed := droppedRows(dropped, c)
	want := []format.Dropped{
		{Func: 3, PID: 1, Complete: 1},
		{Func: 7, PID: 1, Complete: 2, SumNs: 20},
		{Func: 8, PID: 1, Complete: 6},
		{Func: 9, PID: 1, Complete: 30, Incomplete: 3, SumNs: 11, TotalNs: 22, SelfNs: 33, InsideNs: 44},
		{Func: 9, PID: 2, Complete: 30},
	}
	if !slices.Equal(rows, want) || unnamed != 109 {
		t.Errorf("%d unnamed, %+v\nwant %+v", unnamed, rows, want)
	}
}

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
