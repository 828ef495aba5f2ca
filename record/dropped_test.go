//go:build linux

package record

import (
	"slices"
	"testing"

	"utrace/bpf"
	"utrace/format"
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
