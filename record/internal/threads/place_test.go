//go:build linux

package threads

import (
	"os"
	"path/filepath"
	"testing"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/cgroup"
)

// TestPlaceOfEnded: a process that has ended before its first event is read was where its parent is,
// also after an exec.
func TestPlaceOfEnded(t *testing.T) {
	own := cgroup.Of(os.Getpid()).Main()
	if own == "" {
		t.Skip("the test runs in the root control group")
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "trace.arrow"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := format.NewWriter(f, format.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	th := NewSet(w)
	const child = noPID + 1
	parent := uint32(os.Getpid())
	th.DefineProcess(parent)
	th.Task(&bpf.Task{Kind: bpf.TaskFork, PID: child, TID: child, Other: parent, TimeNs: 100, Comm: "shell"})
	th.Task(&bpf.Task{Kind: bpf.TaskExec, PID: child, TID: child, Other: child, TimeNs: 200, Comm: "ls"})
	th.ID(child, child, 0, 150)
	th.ID(child, child, 0, 250)
	for _, p := range []*process{th.processes[parent], th.processes[child]} {
		if p == nil || p.place.cgroup != own {
			t.Errorf("process %+v, want control group %s", p, own)
		}
	}
}
