//go:build linux

package threads

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"utrace/bpf"
	"utrace/format"
)

// noPID is greater than any PID of the kernel (PID_MAX_LIMIT in include/linux/threads.h).
const noPID = 4 << 20

// TestThreadLives: each life of a thread ID has its own number and the name that the kernel
// reported, in any order of a pass's events.
func TestThreadLives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.arrow")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := format.NewWriter(f, format.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	th := NewSet(w)
	const p, q, thread = noPID + 1, noPID + 2, noPID + 3
	id := func(pid, tid uint32, ns uint64, want format.ThreadID) {
		t.Helper()
		if got := th.ID(pid, tid, 0, ns); got != want {
			t.Errorf("thread %d at %d: number %d, want %d", tid-noPID, ns, got, want)
		}
	}
	task := func(kind bpf.TaskKind, pid, tid, other uint32, ns uint64, comm string) {
		th.Task(&bpf.Task{Kind: kind, PID: pid, TID: tid, Other: other, TimeNs: ns, Comm: comm})
	}

	exits := func(want string) {
		t.Helper()
		var list []string
		for _, x := range th.Exits() {
			text := fmt.Sprintf("%d at %d", x.Thread, x.TimeNs)
			if x.Replaced {
				text += " for " + x.Program
			}
			list = append(list, text)
		}
		if got := strings.Join(list, ", "); got != want {
			t.Errorf("exits %s, want %s", got, want)
		}
	}

	// p is forked, executes "first", and ends; then it is forked again.
	task(bpf.TaskFork, p, p, q, 100, "shell")
	task(bpf.TaskExec, p, p, p, 200, "first")
	task(bpf.TaskProcessExit, p, p, 0, 300, "renamed")
	task(bpf.TaskFork, p, p, q, 400, "again")
	id(p, p, 450, 0)
	id(p, p, 250, 1)
	id(p, p, 150, 2)
	id(p, p, 451, 0)
	id(p, p, 300, 1)
	exits("1 at 300, 2 at 200 for first")
	th.Settle()

	// Without records of tasks, they stay as they are. A second thread executes a program, and
	// becomes the first.
	id(p, p, 500, 0)
	id(p, thread, 510, 3)
	th.Settle()
	task(bpf.TaskThreadExit, p, p, 0, 600, "leader")
	task(bpf.TaskExec, p, p, thread, 610, "other")
	id(p, thread, 605, 3)
	id(p, p, 620, 4)
	id(p, p, 590, 0)
	exits("0 at 600, 3 at 610 for other")
	th.Settle()
	id(p, p, 630, 4)

	// The end of a process ends all its threads, and no others.
	id(q, q, 640, 5)
	id(p, thread, 640, 6)
	th.Settle()
	task(bpf.TaskProcessExit, p, p, 0, 700, "other")
	exits("4 at 700, 6 at 700")
	th.Settle()
	exits("")
	id(p, thread, 710, 7)
	id(p, p, 710, 8)
	id(q, q, 710, 5)

	// A goroutine ends with its process. Of those that an exec ends, one has the program's name:
	// that of the thread or, if it has no number, the first.
	if got := th.ID(q, q, 18, 720); got != 9 {
		t.Errorf("goroutine %d", got)
	}
	id(q, thread+1, 720, 10)
	task(bpf.TaskExec, q, q, thread+2, 730, "next")
	exits("5 at 730 for next, 9 at 730 for , 10 at 730 for ")
	th.Settle()

	// A program and the next one end in a pass: goroutines of the same number are one thread, which
	// ends twice.
	task(bpf.TaskExec, q, q, q, 740, "last")
	task(bpf.TaskProcessExit, q, q, 0, 750, "last")
	if got := th.ID(q, q, 18, 735); got != 11 {
		t.Errorf("goroutine %d", got)
	}
	exits("11 at 740 for last, 11 at 750")
	th.Settle()

	if err := w.Close(format.End{}); err != nil {
		t.Fatal(err)
	}
	r, err := format.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var tables format.Tables
	d, err := format.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var m format.Message
	var b format.Batch
	for r.Next(&m) == nil {
		if err := d.Decode(&m, format.Columns{}, &b); err != nil {
			t.Fatal(err)
		}
		for _, def := range b.Defs {
			if err := tables.Apply(def); err != nil {
				t.Fatal(err)
			}
		}
	}
	var names []string
	for _, thread := range tables.Threads[:5] {
		names = append(names, thread.Comm)
	}
	want := []string{"again", "renamed", "shell", "again", "other"}
	for i := range want {
		if names[i] != want[i] {
			t.Errorf("thread %d is called %q, want %q", i, names[i], want[i])
		}
	}
}
