//go:build linux

package selector

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"utrace/record/internal/proc"
)

// sleeper starts a process that sleeps until the test ends: a copy of sleep with its own name.
func sleeper(t *testing.T, name string) (pid int, path string) {
	t.Helper()
	from, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("no program sleep")
	}
	path = filepath.Join(t.TempDir(), name)
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(path, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	// A shell is its parent: the selector leaves out children of this process.
	cmd := exec.Command("sh", "-c", `"$0" 1000 & echo $!; read line; kill $!`, path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	for { // until it has executed its program
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err != nil || exe == path {
			return pid, path
		}
	}
}

// TestMatches: kinds of criteria combine with AND, values of one kind with OR.
func TestMatches(t *testing.T) {
	const name = "utrace-select-sleeper" // longer than the kernel's name of a thread
	pid, path := sleeper(t, name)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	me, other := strconv.Itoa(os.Getuid()), strconv.Itoa(os.Getuid()+1)
	for _, c := range []struct {
		cfg  Config
		want bool
	}{
		{Config{Names: []string{name}}, true},
		{Config{Names: []string{"utrace-select-s"}}, true}, // its first 15 bytes
		{Config{Names: []string{"utrace-select-slee"}}, false},
		{Config{Names: []string{"utrace-sel*"}}, true},
		{Config{Names: []string{"/^utrace.select/"}}, true},
		{Config{Names: []string{"nobody", name}}, true},
		{Config{Names: []string{name}, Users: []string{me}}, true},
		{Config{Names: []string{name}, Users: []string{other}}, false},
		{Config{Names: []string{name}, Users: []string{other, me}}, true},
		{Config{Exes: []string{path}}, true},
		{Config{Exes: []string{link}}, true},
		{Config{Exes: []string{filepath.Dir(path)}}, false},
		{Config{Names: []string{name}, Cgroups: []string{"/"}}, true},
		{Config{Names: []string{name}, Cgroups: []string{"/no/such/group"}}, false},
		{Config{Names: []string{name}, Units: []string{"no-such-unit"}}, false},
		{Config{Names: []string{name}, Containers: []string{"no-such-container"}}, false},
		{Config{Names: []string{name}, Pods: []string{"no/pod"}}, false},
	} {
		s, err := New(c.cfg, t.TempDir())
		if err != nil {
			t.Errorf("%s: %v", c.cfg.String(), err)
			continue
		}
		if got := s.Matches(pid); got != c.want || slices.Contains(s.All(), pid) != c.want {
			t.Errorf("%s: matches: %t, among all: %t, want %t", c.cfg.String(), got, !c.want, c.want)
		}
	}
}

// TestThreadName: the name of any thread chooses its process. Otherwise this process is not chosen.
func TestThreadName(t *testing.T) {
	started, end := make(chan error), make(chan struct{})
	defer close(end)
	go func() {
		runtime.LockOSThread() // it ends with the goroutine
		started <- os.WriteFile(fmt.Sprintf("/proc/self/task/%d/comm", unix.Gettid()), []byte("pool-17"), 0)
		<-end
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Names: []string{"pool-*"}}, "/")
	if err != nil {
		t.Fatal(err)
	}
	if s.Matches(os.Getpid()) {
		t.Error("utrace itself is chosen")
	}
	s.own = 0
	if !s.Matches(os.Getpid()) {
		t.Error("the name of a thread does not choose its process")
	}
}

// TestProcesses: process IDs must match as well. The error names everything.
func TestProcesses(t *testing.T) {
	pid, _ := sleeper(t, "utrace-ids")
	s, err := New(Config{Names: []string{"utrace-ids"}}, "/")
	if err != nil {
		t.Fatal(err)
	}
	if pids, err := s.Processes([]int{pid}); err != nil || !slices.Equal(pids, []int{pid}) {
		t.Errorf("%v, %v", pids, err)
	}
	_, err = s.Processes([]int{pid, 1})
	if !errors.Is(err, ErrNoPID) || !strings.Contains(err.Error(), "-p 1 --name utrace-ids") {
		t.Errorf("process 1: %v", err)
	}
}

// TestBelowRoot: a program is known by its path in the root directory of its process.
func TestBelowRoot(t *testing.T) {
	for _, c := range [][3]string{
		{"/srv/root/bin/web", "/srv/root", "/bin/web"}, {"/bin/web", "/", "/bin/web"},
		{"/srv/rooted/web", "/srv/root", "/srv/rooted/web"}, {"/other/web", "/srv/root", "/other/web"},
	} {
		if got := belowRoot(c[0], c[1]); got != c[2] {
			t.Errorf("%s below %s: %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

// BenchmarkAll: what the look at all processes costs, which a recording has once a second.
func BenchmarkAll(b *testing.B) {
	for _, c := range []Config{{Names: []string{"no-such-program"}}, {Users: []string{"65533"}}, {Cgroups: []string{"/no/such"}}, {Containers: []string{"no-such"}}} {
		b.Run(c.kinds()[slices.IndexFunc(c.kinds(), func(k kind) bool { return len(k.values) > 0 })].flag, func(b *testing.B) {
			s, err := New(c, "/")
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				s.All()
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(proc.All())), "us/process")
		})
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		text string
	}{
		{Config{Names: []string{"/(/"}}, "--name /(/"},
		{Config{Names: []string{""}}, "--name: the value is empty"},
		{Config{Exes: []string{"nginx"}}, "--name takes its name"},
		{Config{Users: []string{"no such user"}}, "--user no such user"},
		{Config{Pods: []string{"web"}}, "NAMESPACE/NAME"},
	} {
		if _, err := New(c.cfg, "/"); !errors.Is(err, ErrValue) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", c.cfg.String(), err)
		}
	}
}
