//go:build linux

package calibrate

import (
	"encoding/json"
	"io"
	"os"
	"runtime"
	"testing"
)

// Serve must tell different places, at which the instructions are that the recorder takes them for, and answer
// each request.
func TestServe(t *testing.T) {
	r, w := io.Pipe()
	requests, ask := io.Pipe()
	failed := make(chan error, 1)
	go func() { failed <- Serve(requests, w) }()
	replies := json.NewDecoder(r)
	var places []Place
	if err := replies.Decode(&places); err != nil {
		t.Fatal(err)
	}
	if len(places) != Functions {
		t.Fatalf("%d places", len(places))
	}
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint64]bool{}
	for i, p := range places {
		for _, off := range []uint64{p.Entry, p.Return} {
			if seen[off] || off >= uint64(len(exe)) {
				t.Errorf("function %d: file offset %#x twice, or outside the file", i, off)
			}
			seen[off] = true
		}
		if ret := exe[p.Return]; runtime.GOARCH == "amd64" && i < Static && ret != 0xc3 {
			t.Errorf("function %d: %#x is no return instruction", i, ret)
		}
	}
	want := []Request{{Displacements: 10}}
	for i := range Functions {
		want = append(want, Request{Function: i, Calls: 10})
	}
	for _, req := range want {
		var done Reply
		if err := json.NewEncoder(ask).Encode(req); err != nil {
			t.Fatal(err)
		}
		if err := replies.Decode(&done); err != nil || done.Request != req {
			t.Fatalf("%+v, %v", done, err)
		}
		if done.DisplacedNs < 0 || done.DisplacedNs > 0 && req.Displacements == 0 {
			t.Errorf("%+v", done)
		}
	}
	ask.Close()
	if err := <-failed; err != nil {
		t.Error(err)
	}
}

// A thread that is displaced loses more time than the other one runs: on a machine with other work that is not seen each time.
func TestDisplace(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for range 20 {
		if ns := displace(10); ns > 0 {
			t.Logf("%d ns", ns)
			return
		}
	}
	t.Error("it is never seen what a displacement takes")
}
