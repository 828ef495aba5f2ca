//go:build linux

package calibrate

import (
	"encoding/json"
	"io"
	"os"
	"runtime"
	"testing"
)

// TestServe: the sites are distinct, have the instructions that the recorder expects, and each
// request gets a reply.
func TestServe(t *testing.T) {
	r, w := io.Pipe()
	requests, ask := io.Pipe()
	failed := make(chan error, 1)
	go func() { failed <- Serve(requests, w) }()
	replies := json.NewDecoder(r)
	var sites []Sites
	if err := replies.Decode(&sites); err != nil {
		t.Fatal(err)
	}
	if len(sites) != Functions {
		t.Fatalf("%d sites", len(sites))
	}
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint64]bool{}
	for i, p := range sites {
		for _, off := range []uint64{p.Entry, p.Return} {
			if seen[off] || off >= uint64(len(exe)) {
				t.Errorf("function %d: file offset %#x twice, or outside the file", i, off)
			}
			seen[off] = true
		}
		if ret := exe[p.Return]; runtime.GOARCH == "amd64" && i < USDT && ret != 0xc3 {
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

// TestDisplace: a displaced thread loses more time than the other one runs. On a machine with other
// work this does not show each time.
func TestDisplace(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for range 20 {
		if ns := displace(10); ns > 0 {
			t.Logf("%d ns", ns)
			return
		}
	}
	t.Error("no displacement was ever seen")
}
