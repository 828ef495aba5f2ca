//go:build linux

package survey

import (
	"testing"
	"time"
)

// TestChoose: a window with all functions waits for those whose links are being closed, but not for
// ever, and has no claim to the time in which there could be none.
func TestChoose(t *testing.T) {
	sm := &surveyedModule{funcs: []surveyedFunc{{state: hotFunc}, {state: hotFunc}, {state: steadyFunc}}, survey: &Survey{}, busy: map[int]<-chan struct{}{}}
	now := time.Now()
	choose := func(want windowKind, wantFuncs int) {
		t.Helper()
		if kind, fns := sm.choose(now); kind != want || len(fns) != wantFuncs {
			t.Errorf("window of kind %d with %d functions, want kind %d with %d", kind, len(fns), want, wantFuncs)
		}
	}
	sm.spentOn[fewWindow] = time.Second
	choose(allWindow, 2)
	sm.busy[0] = nil
	choose(allWindow, 0)
	now = now.Add(awaitClosed)
	choose(fewWindow, 1) // perhaps that never ends
	sm.spentOn[fewWindow] *= 2
	choose(allWindow, 0)

	delete(sm.busy, 0)
	sm.reopen = []int{2}
	choose(fewWindow, 2)
	sm.reopen = nil
	choose(fewWindow, 2)
	sm.spentOn[fewWindow] *= 2
	choose(allWindow, 2)
}
