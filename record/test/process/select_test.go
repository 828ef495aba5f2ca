//go:build linux

package process

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"utrace/format"
	"utrace/record/internal/proc"
	"utrace/record/test/harness"
)

// cgroupMount returns where a hierarchy of control groups is mounted: that of v2 if there is one.
func cgroupMount(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"} {
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err == nil {
			return dir
		}
	}
	t.Skip("no control groups are mounted")
	return ""
}

// makeDir makes a directory, and removes it when the test ends. A control group must be empty then.
func makeDir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Skipf("cannot make a control group: %v", err)
	}
	t.Cleanup(func() {
		harness.WaitFor(t, func() bool { return os.Remove(path) == nil })
	})
}

// neighbours starts programs of one name in different places.
type neighbours struct {
	bin, copy string // the same program
	groups    string // path of the control group that has all below
	mount     string // of this hierarchy
}

// containerID is that of a container made by hand.
var containerID = strings.Repeat("5e1ec7ed", 8)

func newNeighbours(t *testing.T) *neighbours {
	t.Helper()
	harness.NeedTool(t, "unshare")
	n := &neighbours{mount: cgroupMount(t), groups: fmt.Sprintf("/utrace-test-%d-%s", os.Getpid(), t.Name())}
	for _, group := range []string{"", "/a", "/utrace-test.service", "/" + containerID} {
		makeDir(t, n.mount+n.groups+group)
	}

	n.bin = filepath.Join(filepath.Dir(harness.Target(t, "ticks.c", "-O1")), "utrace-sel")
	n.copy = filepath.Join(t.TempDir(), "utrace-sel")
	for _, path := range []string{n.bin, n.copy} {
		harness.Run(t, "cp", filepath.Join(filepath.Dir(n.bin), "ticks"), path)
		for dir := filepath.Dir(path); dir != os.TempDir(); dir = filepath.Dir(dir) { // for another user
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	return n
}

// makeContainer writes what containerd keeps of a container.
func makeContainer(t *testing.T) {
	t.Helper()
	namespace := filepath.Join("/run/containerd/io.containerd.runtime.v2.task", "utrace-test")
	dir := filepath.Join(namespace, containerID)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		os.RemoveAll(namespace)
		for dir := filepath.Dir(namespace); os.Remove(dir) == nil; dir = filepath.Dir(dir) { // if it was not there
		}
	})
	const config = `{"annotations":{"nerdctl/name":"utrace-web","io.kubernetes.cri.sandbox-namespace":"prod","io.kubernetes.cri.sandbox-name":"shop-0"}}`
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Places of neighbours.
const (
	inGroup     = "/a"
	inUnit      = "/utrace-test.service"
	inContainer = "container"
	ofNobody    = "nobody"
	ofCopy      = "copy"
)

const nobody = 65534

// start starts a program in a place, and returns its process ID.
func (n *neighbours) start(t *testing.T, where string) int {
	t.Helper()
	enter := `echo $$ > "$0"; exec "$@"`
	procs := func(group string) string { return n.mount + n.groups + group + "/cgroup.procs" }
	cmd := exec.Command(n.bin, "1000000")
	switch where {
	case inGroup, inUnit:
		cmd = exec.Command("sh", "-c", enter, procs(where), n.bin, "1000000")
	case inContainer:
		cmd = exec.Command("sh", "-c", enter, procs("/"+containerID), "unshare", "-m", "-p", "-f", "--mount-proc", "--kill-child", n.bin, "1000000")
	case ofNobody:
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	case ofCopy:
		cmd = exec.Command(n.copy, "1000000")
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	pid := 0
	harness.WaitFor(t, func() bool {
		pid = cmd.Process.Pid
		if children := proc.Children(pid); where == inContainer && len(children) == 1 {
			pid = children[0]
		}
		return proc.Comm(pid) == "utrace-sel"
	})
	return pid
}

// recordedIn returns the processes with events in a trace, which may still be written.
func recordedIn(t *testing.T, trace string) (pids []int, tables *format.Tables) {
	t.Helper()
	tables, _ = harness.Tables(t, trace)
	set := map[int]bool{}
	for _, th := range tables.Threads {
		set[th.PID] = true
	}
	return slices.Sorted(maps.Keys(set)), tables
}

// TestSelect: programs of one name run in two control groups, in a container made by hand, as
// another user, and as a copy. Each flag records exactly those that it should, and those among them
// that start later.
func TestSelect(t *testing.T) {
	harness.NeedKernel(t)
	n := newNeighbours(t)
	makeContainer(t)
	places := []string{inGroup, inUnit, inContainer, ofNobody, ofCopy}
	first := map[string]int{}
	for _, where := range places {
		first[where] = n.start(t, where)
	}

	type selection struct {
		flags []string
		want  []string // places
		later bool     // those that start later as well
		pids  []int    // wanted
		rec   *harness.Recorder
	}
	list := []*selection{
		{flags: []string{"--name", "utrace-sel"}, want: places, later: true},
		{flags: []string{"--name", "/^utrace.se[l]$/", "--user", strconv.Itoa(nobody)}, want: []string{ofNobody}, later: true},
		{flags: []string{"--exe", n.copy}, want: []string{ofCopy}, later: true},
		{flags: []string{"--cgroup", n.mount + n.groups + inGroup}, want: []string{inGroup}, later: true},
		{flags: []string{"--cgroup", n.groups, "--name", "utrace-s*", "--name", "other"}, want: []string{inGroup, inUnit, inContainer}, later: true},
		{flags: []string{"--unit", "utrace-test"}, want: []string{inUnit}, later: true},
		{flags: []string{"--container", "utrace-web"}, want: []string{inContainer}, later: true},
		{flags: []string{"--container", containerID[:12], "-p", "1"}, want: []string{inContainer}},
		{flags: []string{"--pod", "prod/shop-0"}, want: []string{inContainer}, later: true},
	}
	for _, s := range list {
		s.rec = harness.StartRecorder(t, append([]string{"-e", "tick"}, s.flags...)...)
	}
	for _, s := range list {
		s.rec.Await(t)
	}
	second := map[string]int{}
	for _, where := range places {
		second[where] = n.start(t, where)
	}

	for _, s := range list {
		for _, where := range s.want {
			s.pids = append(s.pids, first[where])
			if s.later {
				s.pids = append(s.pids, second[where])
			}
		}
		slices.Sort(s.pids)
		harness.WaitFor(t, func() bool {
			got, _ := recordedIn(t, s.rec.Trace)
			return !slices.ContainsFunc(s.pids, func(pid int) bool { return !slices.Contains(got, pid) })
		})
	}
	for _, s := range list {
		s.rec.Interrupt()
	}
	for _, s := range list {
		stderr := s.rec.Wait(t)
		harness.Validate(t, s.rec.Trace)
		got, tables := recordedIn(t, s.rec.Trace)
		if !slices.Equal(got, s.pids) {
			t.Errorf("%q: recorded %v, want %v (at the start %v, later %v)", s.flags, got, s.pids, first, second)
		}
		for _, where := range s.want {
			// It may be announced while it is the shell that enters the group.
			matches := regexp.MustCompile(fmt.Sprintf(`process %d \(\S+\) matches`, second[where]))
			if !strings.Contains(stderr, fmt.Sprintf("utrace-sel (%d)", first[where])) || s.later != matches.MatchString(stderr) {
				t.Errorf("%q: does not say who matches, and who matches later:\n%s", s.flags, stderr)
			}
		}
		for _, p := range tables.Processes {
			if p.PID == first[inContainer] && (p.Container != "utrace-web" || p.Pod != "prod/shop-0" || p.Cgroup != n.groups+"/"+containerID) {
				t.Errorf("%q: the trace says of the container %+v", s.flags, p)
			}
			if p.PID == first[inUnit] && p.Unit != "utrace-test.service" {
				t.Errorf("%q: the trace says of the unit %+v", s.flags, p)
			}
		}
	}
}

// TestSelectUntouched: processes that do not match keep their code byte for byte, those that start
// later as well. The children of a recorded process are recorded as long as they match.
func TestSelectUntouched(t *testing.T) {
	harness.NeedKernel(t)
	n := newNeighbours(t)
	chosen, other := n.start(t, inGroup), n.start(t, inUnit)
	rec := harness.StartRecorder(t, "-e", "tick", "--cgroup", n.groups+inGroup)
	rec.Await(t)
	later, otherLater := n.start(t, inGroup), n.start(t, inUnit)
	harness.WaitFor(t, func() bool {
		got, _ := recordedIn(t, rec.Trace)
		return slices.Contains(got, later)
	})
	for _, pid := range []int{other, otherLater} {
		if c := newText(t, pid, n.bin).changed(t); c > 0 {
			t.Errorf("%d bytes differ from the file in process %d", c, pid)
		}
	}
	for _, pid := range []int{chosen, later} {
		if newText(t, pid, n.bin).changed(t) == 0 {
			t.Errorf("process %d has no breakpoint", pid)
		}
	}
	rec.Stop(t)
}

// wanders forks a child that executes another program, which then executes the first one again, and
// changes its name.
const wanders = `
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
__attribute__((noinline)) void work(void) { __asm__ volatile(""); }
int main(int argc, char **argv)
{
	char line[8];
	if (argc > 2) { /* renamed */
		fgets(line, sizeof line, stdin);
		prctl(PR_SET_NAME, "utrace-renamed");
	}
	for (int i = 0;; i++) {
		work();
		usleep(10000);
		if (i == 100 && argc == 1 && fork() == 0) /* the shell does not match; what it executes does */
			execl("/bin/sh", "sh", "-c", "sleep 0.1; exec \"$0\" again", argv[0], (char *)0);
	}
}
`

// TestSelectChanges: a process that comes to match is recorded, by exec or by a new name. A shell
// between two programs that match is not.
func TestSelectChanges(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Program(t, "utrace-wander", wanders)
	renamed := exec.Command(bin+"ing", "x", "y")
	harness.Run(t, "cp", bin, bin+"ing")
	in, err := renamed.StdinPipe()
	if err == nil {
		err = renamed.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { renamed.Process.Kill(); renamed.Wait() })

	rec := harness.StartRecorder(t, "-e", "work", "--name", "utrace-wander", "--name", "utrace-renamed", "--wait")
	rec.Await(t)
	parent, _ := harness.Start(t, bin)
	in.Close()
	child := 0
	harness.WaitFor(t, func() bool {
		if list := proc.Children(parent.Process.Pid); len(list) == 1 {
			child = list[0]
		}
		got, _ := recordedIn(t, rec.Trace)
		return slices.Contains(got, parent.Process.Pid) && slices.Contains(got, renamed.Process.Pid) && child != 0 && slices.Contains(got, child)
	})
	unix.Kill(child, unix.SIGKILL)
	rec.Stop(t)
	harness.Validate(t, rec.Trace)
	_, tables := recordedIn(t, rec.Trace)
	for _, th := range tables.Threads {
		if th.Comm == "sh" || th.Comm == "sleep" {
			t.Errorf("recorded a thread of %s", th.Comm)
		}
	}
}

// TestSelectNobody: if nobody matches, the error says so at once.
func TestSelectNobody(t *testing.T) {
	harness.NeedKernel(t)
	for flags, want := range map[string]string{
		"--name no-such-utrace-program":                "no process matches --name no-such-utrace-program: add --wait to wait for one",
		"--container no-such-container -p 1":           "no process matches -p 1 --container no-such-container",
		"--unit no-such.service --cgroup /no/such/one": "no process matches --cgroup /no/such/one --unit no-such.service",
	} {
		for _, command := range []string{"record", "plan"} {
			args := append([]string{command, "-o", filepath.Join(t.TempDir(), "trace.arrow")}, strings.Fields(flags)...)
			_, stderr, status := harness.Utrace(t, args...)
			if status != 1 || !strings.Contains(stderr, want) {
				t.Errorf("%q: status %d\n%s", args, status, stderr)
			}
		}
	}
}

// TestSelectNobodyLater: it is said whom a recording waits for, and that nobody has come.
func TestSelectNobodyLater(t *testing.T) {
	harness.NeedKernel(t)
	_, stderr, status := harness.Utrace(t, "record", "-o", filepath.Join(t.TempDir(), "trace.arrow"), "-d", "200ms", "--name", "no-such-utrace-program", "--wait")
	for _, want := range []string{
		"utrace: no process matches --name no-such-utrace-program yet: waiting for one that starts\n",
		"utrace: nothing to probe: no process matches --name no-such-utrace-program, or none with functions to probe\n",
	} {
		if status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("status %d\n%s", status, stderr)
		}
	}
}
