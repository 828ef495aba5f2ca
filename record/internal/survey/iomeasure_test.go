//go:build linux

package survey

import (
	"os"
	"testing"
	"time"
)

// TestIOMeasure: IO calls are the measure if functions differ less by them from window to window.
func TestIOMeasure(t *testing.T) {
	of := func(used, io int) *window {
		return &window{kind: fewWindow, used: work{useful: time.Duration(used), ioCalls: uint64(io)}}
	}
	for _, c := range []struct {
		what    string
		windows []*window
		calls   []uint64
		unknown bool
		want    bool
	}{
		{"a server: two IO calls a request", []*window{of(100, 80), of(200, 80), of(80, 100), of(300, 200)}, []uint64{40, 40, 50, 100}, false, true},
		{"so, but of some process they are unknown", []*window{of(100, 80), of(200, 80), of(80, 100), of(300, 200)}, []uint64{40, 40, 50, 100}, true, false},
		{"a loop, and IO at times", []*window{of(100, 3), of(200, 900), of(150, 20), of(300, 1)}, []uint64{100, 200, 150, 300}, false, false},
		{"too few windows", []*window{of(100, 80), of(200, 80)}, []uint64{40, 40}, false, false},
		{"a server of few requests a window", []*window{of(20, 5), of(20, 5), of(20, 5), of(20, 5), of(80, 24), of(40, 20), of(100, 16), of(60, 20)}, []uint64{10, 10, 10, 10, 48, 42, 38, 40}, false, true},
		{"too few calls", []*window{of(100, 8), of(200, 8), of(80, 10), of(300, 20)}, []uint64{4, 4, 5, 10}, false, false},
		{"no IO", []*window{of(100, 0), of(200, 0), of(150, 0), of(300, 0)}, []uint64{100, 200, 150, 300}, false, false},
	} {
		var f surveyedFunc
		io := ioMeasure{unknown: c.unknown}
		for i, w := range c.windows {
			io.compare(&f, c.calls[i], w)
		}
		if got := io.isBetter(); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

// TestIOOfSockets: where other reads and writes are fewer, only calls on sockets count, of any
// number of processes, and of those that have ended.
func TestIOOfSockets(t *testing.T) {
	for _, c := range []struct {
		what                 string
		processes            int
		socketCalls          uint64 // of each
		sockets, unknown     bool
		unknownAfterItsEnded bool
	}{
		{"a server", 2, 300_000_000, true, false, false},
		{"in many processes", 20, 300_000_000, true, false, false},
		{"one that reads files", 2, 10, false, false, true},
		{"in many processes that have done little yet", 20, 3, false, false, false},
	} {
		sm := &surveyedModule{accounts: map[*account]*member{}}
		for range c.processes {
			sm.accounts[&account{pid: os.Getpid(), sockCalls: ioCounter{calls: c.socketCalls}}] = &member{}
		}
		sm.updateIO()
		if sm.io.sockets != c.sockets || sm.io.unknown != c.unknown {
			t.Errorf("%s: %+v", c.what, sm.io)
		}
		if c.sockets {
			before := sm.io.calls
			for a := range sm.accounts {
				a.sockCalls.read(1000)
			}
			sm.updateIO()
			if got, want := sm.io.calls-before, 1000*uint64(c.processes); got != want {
				t.Errorf("%s: %d calls, want %d", c.what, got, want)
			}
		}
		if sm.io.leave(); sm.io.unknown != c.unknownAfterItsEnded {
			t.Errorf("%s, one has ended: %+v", c.what, sm.io)
		}
	}
}

// TestPreferredIO: of Java, IO calls are the measure as soon as it is decided which count.
func TestPreferredIO(t *testing.T) {
	io := ioMeasure{preferred: true}
	if io.isBetter() {
		t.Error("nothing is known yet")
	}
	if io.addFileCalls(decidingCalls); io.isBetter() {
		t.Error("nothing is decided yet")
	}
	if io.decide(); !io.isBetter() {
		t.Errorf("%+v", io)
	}
}
