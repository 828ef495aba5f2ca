//go:build linux

package process

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"utrace/record/test/harness"
)

// These tests record files as they are on real machines: deleted, replaced, in other root
// directories, stripped, with their symbols elsewhere.

// waiting is a running testdata/targets/ondemand.c.
type waiting struct {
	pid   int
	stdin io.Writer
}

// startWaiting starts a command that runs the program, and waits until the program is ready. With
// fork, the program is a child of the command.
func startWaiting(t *testing.T, fork bool, command ...string) *waiting {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close() // it ends
		cmd.Process.Kill()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Skipf("%v does not run here: %q, %v", command, line, err)
	}
	w := &waiting{pid: cmd.Process.Pid, stdin: stdin}
	if fork {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", w.pid, w.pid))
		if err != nil {
			t.Skipf("the child cannot be found: %v", err)
		}
		if w.pid, err = strconv.Atoi(strings.TrimSpace(string(children))); err != nil {
			t.Fatal(err)
		}
	}
	go func() { // a zombie has not ended
		if !fork {
			cmd.Wait()
		}
	}()
	return w
}

// rounds is how often a waiting program calls.
const rounds = 100

// record attaches to the program, lets it run to its end, and returns its calls.
func (w *waiting) record(t *testing.T, flags ...string) map[string]uint64 {
	t.Helper()
	rec := harness.StartRecorder(t, append([]string{"--max-overhead=none", "-p", strconv.Itoa(w.pid), "-d", "20s"}, flags...)...)
	rec.Await(t)
	fmt.Fprintln(w.stdin, rounds)
	rec.Wait(t)
	harness.Validate(t, rec.Trace)
	r := harness.Analyze(t, rec.Trace)
	if n := len(r.Incomplete()); n > 1 { // main has begun before the recording
		t.Errorf("incomplete calls: %v", r.Incomplete())
	}
	return r.Calls()
}

// copyFile copies a program.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o755); err != nil {
		t.Fatal(err)
	}
}

// onDemand builds the program and starts it.
func onDemand(t *testing.T, flags ...string) (w *waiting, path string) {
	t.Helper()
	path = harness.Target(t, "ondemand.c", append([]string{"-O2"}, flags...)...)
	return startWaiting(t, false, path), path
}

// TestDeletedProgram: the probes apply to the program that runs, although another file or none has
// its name.
func TestDeletedProgram(t *testing.T) {
	harness.NeedKernel(t)
	for _, c := range []struct {
		how    string
		change func(path string)
	}{
		{"deleted", func(path string) { os.Remove(path) }},
		{"replaced", func(path string) {
			os.Remove(path)
			copyFile(t, harness.Target(t, "calls.c", "-O0"), path)
		}},
	} {
		t.Run(c.how, func(t *testing.T) {
			w, path := onDemand(t)
			c.change(path)
			harness.WantCounts(t, "calls", w.record(t, "-e", "outer", "-e", path+":inner"), map[string]uint64{"outer": rounds, "inner": rounds})
		})
	}
}

// TestDeletedLibrary: the same for a library.
func TestDeletedLibrary(t *testing.T) {
	harness.NeedKernel(t)
	for _, replace := range []bool{false, true} {
		dir := t.TempDir()
		lib := filepath.Join(dir, "libondemand.so")
		build := func(n string) {
			harness.Library(t, lib, "ondemand.c", "-O2", "-DLIB="+n)
		}
		build("1")
		bin := harness.Target(t, "ondemand.c", "-DUSE_LIB", lib, "-Wl,-rpath,"+dir)
		w := startWaiting(t, false, bin)
		os.Remove(lib)
		if replace {
			build("1000000")
		}
		harness.WantCounts(t, "calls", w.record(t, "-e", "ondemand:lib_*", "-e", "outer"), map[string]uint64{"lib_outer": rounds, "lib_inner": rounds, "outer": rounds})
	}
}

// TestOtherRoot: paths and symbolic links mean what they mean in the root directory of the process.
func TestOtherRoot(t *testing.T) {
	harness.NeedKernel(t)
	harness.NeedTool(t, "chroot")
	harness.NeedTool(t, "unshare")
	static := harness.Target(t, "ondemand.c", "-O2", "-static")
	for _, c := range []struct {
		name  string
		fork  bool
		enter []string
	}{
		{"chroot", false, []string{"chroot"}},
		{"mount namespace", false, []string{"unshare", "-m", "chroot"}},
		{"PID namespace", true, []string{"unshare", "-m", "-p", "-f", "--kill-child", "chroot"}},
	} {
		for _, file := range []string{"", "/bin/app:", "/app:", "/links/app:"} {
			t.Run(c.name+" "+file, func(t *testing.T) {
				t.Parallel()
				root := t.TempDir()
				copyFile(t, static, filepath.Join(root, "bin/app"))
				os.Symlink("/bin/app", filepath.Join(root, "app")) // there is no such file on our side
				os.Symlink("/bin", filepath.Join(root, "links"))
				w := startWaiting(t, c.fork, append(c.enter, root, "/bin/app")...)
				harness.WantCounts(t, "calls", w.record(t, "-e", file+"outer", "-e", file+"inner"), map[string]uint64{"outer": rounds, "inner": rounds})
			})
		}
	}
}

// TestOwnPIDNamespace: in another PID namespace the kernel's process IDs differ from the ones that
// utrace sees. record says so.
func TestOwnPIDNamespace(t *testing.T) {
	harness.NeedKernel(t)
	harness.NeedTool(t, "unshare")
	out, err := exec.Command("unshare", "-p", "-f", "--mount-proc", harness.Binary(), "record", "--max-overhead=none", "-o", filepath.Join(t.TempDir(), "trace.arrow"), "/bin/true").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "PID namespace") {
		t.Errorf("%v\n%s", err, out)
	}
}

// addresses returns the addresses of functions as nm prints them, without leading zeros.
func addresses(t *testing.T, path string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for line := range strings.Lines(harness.Run(t, "nm", path)) {
		if word := strings.Fields(line); len(word) == 3 {
			out[word[2]] = strings.TrimLeft(word[0], "0")
		}
	}
	return out
}

// TestStripped: functions of a stripped program are recorded by address, as those of the same
// program with symbols.
func TestStripped(t *testing.T) {
	harness.NeedKernel(t)
	for _, c := range []struct {
		name  string
		flags []string
	}{{"pie", nil}, {"no pie", []string{"-no-pie"}}, {"cet", []string{"-fcf-protection"}}, {"static", []string{"-static"}}} {
		full := harness.Target(t, "ondemand.c", append([]string{"-O2"}, c.flags...)...)
		at := addresses(t, full)
		outer, inner := "sub_"+at["outer"], "sub_"+at["inner"]
		bin := filepath.Join(t.TempDir(), "stripped")
		harness.Run(t, "strip", "-o", bin, full)
		// In a file with a C library, any function without a name may be setjmp.
		stdout, _, _ := harness.Utrace(t, "plan", "-e", bin+":"+outer)
		if by := "uretprobe " + outer; strings.Contains(stdout, by) == (c.name == "static") {
			t.Errorf("%s: the return is not seen as it should be:\n%s", c.name, stdout)
		}
		for how, probes := range map[string][]string{
			"all":     {"-e", "*"},
			"address": {"-e", bin + ":0x" + at["outer"], "-e", bin + ":0x" + at["inner"]},
			"name":    {"-e", outer, "-e", inner},
			"glob":    {"-e", "sub_" + at["outer"][:2] + "*"},
		} {
			if c.name == "static" && (how == "all" || how == "glob") {
				continue // all of the C library
			}
			t.Run(c.name+" "+how, func(t *testing.T) {
				t.Parallel()
				calls := startWaiting(t, false, bin).record(t, probes...)
				harness.WantCounts(t, "calls", calls, map[string]uint64{outer: rounds, inner: rounds})
				for name := range calls {
					if !strings.HasPrefix(name, "sub_") {
						t.Errorf("%s is a function of a stripped file", name)
					}
				}
			})
		}
		t.Run(c.name+" instruction", func(t *testing.T) {
			const ret = 3 // the function is lea 1(%rdi),%eax; ret: nothing points to it, so it needs no endbr64
			calls := startWaiting(t, false, bin).record(t, "-e", fmt.Sprintf("%s+%d", inner, ret))
			harness.WantCounts(t, "passes", calls, map[string]uint64{fmt.Sprintf("%s+%#x", inner, ret): rounds})
			_, stderr, status := harness.Utrace(t, "plan", "-e", fmt.Sprintf("%s:%s+%d", bin, inner, ret-1))
			if status == 0 || !strings.Contains(stderr, "in the middle of an instruction") {
				t.Errorf("status %d: %s", status, stderr)
			}
		})
	}
}

// TestDebugFiles: a debug file gives a stripped program its names and lines.
func TestDebugFiles(t *testing.T) {
	harness.NeedKernel(t)
	for _, how := range []string{"build ID", "debug link", "debug link in .debug"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			// Each build has another build ID.
			bin := harness.Target(t, "ondemand.c", "-O2", "-Wl,--build-id=sha1", fmt.Sprintf("-DUNUSED=%d", time.Now().UnixNano()), "-g3")
			debug := bin + ".debug"
			harness.Run(t, "objcopy", "--only-keep-debug", bin, debug)
			if how != "build ID" {
				harness.Run(t, "objcopy", "--add-gnu-debuglink="+debug, bin)
			}
			harness.Run(t, "strip", bin)
			switch how {
			case "build ID":
				installDebugFile(t, bin, debug)
				os.Remove(debug)
			case "debug link in .debug":
				copyFile(t, debug, filepath.Join(filepath.Dir(bin), ".debug", filepath.Base(debug)))
				os.Remove(debug)
			}
			if symbols := harness.Run(t, "nm", bin); !strings.Contains(symbols, "no symbols") {
				t.Fatal("it is not stripped")
			}
			trace := filepath.Join(t.TempDir(), "trace.arrow")
			cmd := exec.Command(harness.Binary(), "record", "-o", trace, "-e", "outer", "-e", "inner", bin)
			cmd.Stdin = strings.NewReader(strconv.Itoa(rounds))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			r := harness.Analyze(t, trace)
			harness.WantCounts(t, "calls", r.Calls(), map[string]uint64{"outer": rounds, "inner": rounds})
			for _, fn := range r.Functions {
				if !strings.HasSuffix(fn.File, "ondemand.c") || fn.Line == 0 {
					t.Errorf("%s is at %q line %d", fn.Name, fn.File, fn.Line)
				}
			}
		})
	}
}

// installDebugFile puts a debug file where a distribution puts it, until the test ends.
func installDebugFile(t *testing.T, bin, debug string) {
	t.Helper()
	id := ""
	for line := range strings.Lines(harness.Run(t, "readelf", "-n", bin)) {
		if _, after, ok := strings.Cut(line, "Build ID: "); ok {
			id = strings.TrimSpace(after)
		}
	}
	if len(id) < 4 {
		t.Fatal("no build ID")
	}
	path := filepath.Join("/usr/lib/debug/.build-id", id[:2], id[2:]+".debug")
	if _, err := os.Stat(path); err == nil {
		t.Fatalf("%s exists", path)
	}
	t.Cleanup(func() {
		os.Remove(path)
		for dir := filepath.Dir(path); dir != "/usr/lib"; dir = filepath.Dir(dir) {
			os.Remove(dir) // if it is empty
		}
	})
	copyFile(t, debug, path)
}

// TestStrippedGo: a stripped Go program has its names and lines.
func TestStrippedGo(t *testing.T) {
	harness.NeedKernel(t)
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	os.WriteFile(source, []byte("package main\n\n//go:noinline\nfunc double(n int) int { return n * 2 }\n\nfunc main() {\n\tsum := 0\n\tfor i := range 100 {\n\t\tsum += double(i)\n\t}\n\tprintln(sum)\n}\n"), 0o600)
	bin := filepath.Join(dir, "prog")
	harness.Run(t, "go", "build", "-ldflags=-s -w", "-o", bin, source)
	r := harness.Record(t, []string{"-e", "main.double"}, bin)
	harness.WantCounts(t, "calls", r.Calls(), map[string]uint64{"main.double": 100})
	if f := r.Functions[0]; !strings.HasSuffix(f.File, "main.go") || f.Line != 4 {
		t.Errorf("%s:%d", f.File, f.Line)
	}
}

// TestOnlyInlined: plan says of a function without code of its own which functions it is inlined
// in.
func TestOnlyInlined(t *testing.T) {
	harness.NeedTool(t, "gcc")
	bin := filepath.Join(t.TempDir(), "split")
	harness.Run(t, "gcc", "-O2", "-g", "-o", bin, harness.Testdata(t, "elf/src/split.c"))
	_, stderr, status := harness.Utrace(t, "plan", "-e", bin+":inlined_twice")
	if status == 0 || !strings.Contains(stderr, "only inlined, in first_user, second_user") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if _, stderr, status := harness.Utrace(t, "plan", "-e", bin+":no_such_function"); status == 0 || !strings.Contains(stderr, "no such function") {
		t.Errorf("status %d: %s", status, stderr)
	}
	_, stderr, status = harness.Utrace(t, "plan", "-e", harness.Testdata(t, "elf/split/pie.debug")+":main")
	if status == 0 {
		t.Errorf("status %d: %s", status, stderr)
	}
}
