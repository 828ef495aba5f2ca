//go:build linux

package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"utrace/record/test/harness"
)

// TestKilledRecorder: a recorder of a Go server that is killed while it attaches thousands of
// probes, or removes them, leaves no breakpoint in the server. Nor does one killed in between.
func TestKilledRecorder(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.GoTarget(t, "web")
	server := exec.Command(program)
	stdout, err := server.StdoutPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer server.Process.Kill()
	if _, err := fmt.Fscanln(stdout, new(string)); err != nil { // its address: it has begun
		t.Fatal(err)
	}
	text := newText(t, server.Process.Pid, program)
	if n := text.changed(t); n != 0 {
		t.Fatalf("%d bytes of the server's text differ from its file before it is recorded", n)
	}
	for _, flags := range [][]string{nil, {"--max-overhead=90%"}} { // with a limit each function has a link
		for _, when := range []string{"attaching", "recording", "removing"} {
			t.Run(strings.Join(append(flags, when), " "), func(t *testing.T) {
				rec := harness.StartRecorder(t, append([]string{"-p", strconv.Itoa(server.Process.Pid), "-e", "*"}, flags...)...)
				harness.WaitFor(t, func() bool { return text.changed(t) > 0 })
				if when != "attaching" {
					rec.Await(t)
				}
				if when == "removing" {
					all := text.changed(t)
					rec.Interrupt()
					harness.WaitFor(t, func() bool { return text.changed(t) < all })
				}
				rec.Kill()
				for deadline := time.Now().Add(30 * time.Second); text.changed(t) > 0; time.Sleep(10 * time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatalf("%d breakpoints are left", text.changed(t))
					}
				}
			})
		}
	}
}

// TestKilledHolder: if the process that holds the probes is killed, the trace is complete, and an
// error of one line says so.
func TestKilledHolder(t *testing.T) {
	harness.NeedKernel(t)
	service, _ := harness.Start(t, harness.Target(t, "service.c", "-O0"))
	rec := harness.StartRecorder(t, "-e", "serve", "-e", "handle", "-p", strconv.Itoa(service.Process.Pid))
	rec.Await(t)
	children, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", rec.PID()))
	for _, path := range children {
		list, _ := os.ReadFile(path)
		for child := range strings.FieldsSeq(string(list)) {
			if command, _ := os.ReadFile("/proc/" + child + "/cmdline"); strings.Contains(string(command), "--hold-links") {
				harness.Run(t, "kill", "-9", child)
			}
		}
	}
	rec.Interrupt()
	stderr, err := rec.Ended()
	if err == nil || strings.Count(stderr, "the process that holds the probes has ended") != 1 {
		t.Errorf("%v\n%s", err, stderr)
	}
	harness.Validate(t, rec.Trace)
}

// text is the executable mapping of a program in a process.
type text struct {
	mem  *os.File
	addr int64
	want []byte // from the file
	now  []byte // scratch
}

func newText(t *testing.T, pid int, program string) *text {
	t.Helper()
	file, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "maps"))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(filepath.Join("/proc", strconv.Itoa(pid), "mem"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mem.Close() })
	for line := range strings.Lines(string(maps)) {
		var from, to, off int64
		var perm string
		if n, _ := fmt.Sscanf(line, "%x-%x %s %x", &from, &to, &perm, &off); n == 4 && strings.Contains(perm, "x") && strings.Contains(line, program) {
			want := file[off:min(off+to-from, int64(len(file)))]
			return &text{mem, from, want, make([]byte, len(want))}
		}
	}
	t.Fatalf("%s is not mapped:\n%s", program, maps)
	return nil
}

// changed returns how many bytes differ from those of the file.
func (x *text) changed(t *testing.T) (n int) {
	t.Helper()
	if _, err := x.mem.ReadAt(x.now, x.addr); err != nil {
		t.Fatal(err)
	}
	for i, b := range x.now {
		if b != x.want[i] {
			n++
		}
	}
	return n
}
