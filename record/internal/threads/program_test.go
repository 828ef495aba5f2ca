//go:build linux

package threads

import (
	"os"
	"slices"
	"testing"

	"utrace/bpf"
	"utrace/format"
)

// definitions keeps what a Set defines.
type definitions struct {
	processes []format.Process
	threads   int
}

func (d *definitions) AddProcess(p format.Process) { d.processes = append(d.processes, p) }

func (d *definitions) AddThread(format.Thread) format.ThreadID {
	d.threads++
	return format.ThreadID(d.threads - 1)
}

// TestProgramBeforeExec: until its exec, a forked process runs the program of its parent. /proc is
// about the later one by then.
func TestProgramBeforeExec(t *testing.T) {
	var d definitions
	th := NewSet(&d)
	parent, child := uint32(os.Getppid()), uint32(os.Getpid())
	th.DefineProcess(parent)
	th.Task(&bpf.Task{Kind: bpf.TaskFork, PID: child, TID: child, Other: parent, TimeNs: 100, Comm: d.processes[0].Comm})
	th.Task(&bpf.Task{Kind: bpf.TaskExec, PID: child, TID: child, Other: child, TimeNs: 200, Comm: "threads.test"})
	th.ID(child, child, 0, 150)
	th.ID(child, child, 0, 250)
	if len(d.processes) != 3 {
		t.Fatalf("%d processes, want 3", len(d.processes))
	}
	if before, want := d.processes[1], d.processes[0]; before.Exe != want.Exe || !slices.Equal(before.Args, want.Args) {
		t.Errorf("before its exec the child was %+v, want the program of %+v", before, want)
	}
	if after := d.processes[2]; !slices.Equal(after.Args, os.Args) {
		t.Errorf("after its exec the child was %+v, want %q", after, os.Args)
	}
}
