//go:build linux

package calibrate

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// TestServe runs it without probes.
func TestServe(t *testing.T) {
	r, w := io.Pipe()
	failed := make(chan error, 1)
	go func() { failed <- Serve(strings.NewReader("\n"), w) }()
	replies := json.NewDecoder(r)
	var at, ns Sites
	for _, reply := range []*Sites{&at, &ns} {
		if err := replies.Decode(reply); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-failed; err != nil {
		t.Error(err)
	}
	seen := map[uint64]bool{0: true}
	for _, off := range []uint64{at.NopCall, at.Emulated, at.Stepped, at.Returning, at.Static} {
		if seen[off] {
			t.Errorf("file offset %#x twice, or unknown: %+v", off, at)
		}
		seen[off] = true
	}
	if ns.Emulated > 1000 {
		t.Errorf("a call of an empty function takes %d ns", ns.Emulated)
	}
}
