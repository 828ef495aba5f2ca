//go:build linux

package record

import (
	"os"
	"path/filepath"
	"testing"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/threads"
)

// TestTracksEnd: an open span of a process is not continued by the next process with its PID, or by
// the program that it executes.
func TestTracksEnd(t *testing.T) {
	const p, fn = 4<<20 + 1, 7 // a PID above PID_MAX_LIMIT (include/linux/threads.h)
	for _, kind := range []bpf.TaskKind{bpf.TaskProcessExit, bpf.TaskExec} {
		f, err := os.Create(filepath.Join(t.TempDir(), "trace.arrow"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		w, err := format.NewWriter(f, format.Meta{})
		if err != nil {
			t.Fatal(err)
		}
		d := drainer{w: w, threads: threads.NewSet(w), tracks: tracks{}}
		track := func(kind format.Kind, key uint64) int {
			e := heldEvent{Event: bpf.Event{PID: p, TID: p, Value: key, Kind: kind}}
			n := d.tracks.track(&e, fn)
			if n > 0 {
				d.threads.Track(p, p, n)
			}
			return n
		}
		if a, b := track(format.Entry, 1), track(format.Entry, 2); a != 1 || b != 2 {
			t.Errorf("tracks %d and %d", a, b)
		}
		d.settle()
		if got := track(format.Return, 1); got != 1 {
			t.Errorf("a process that runs has lost its track: %d", got)
		}
		d.threads.Task(&bpf.Task{Kind: kind, PID: p, TID: p, Other: p, TimeNs: 100})
		d.settle()
		if got := track(format.Return, 2); got != 0 {
			t.Errorf("%v: the end of a span that another process has begun is on track %d", kind, got)
		}
		if got := track(format.Entry, 3); got != 1 {
			t.Errorf("%v: the first span of a process is on track %d", kind, got)
		}
		d.threads.Task(&bpf.Task{Kind: bpf.TaskProcessExit, PID: p, TID: p, TimeNs: 200})
		d.settle()
		if len(d.tracks) > 0 {
			t.Errorf("%v: tracks of %d processes that have ended", kind, len(d.tracks))
		}
	}
}
