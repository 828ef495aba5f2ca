//go:build linux

package runtimes

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"utrace/record/test/harness"
)

// These tests record Python where a probe would break a program, or cannot be attached.

// TestPythonNotUTF8: probes of functions break a program if the name of a file is not UTF-8. They
// are not attached.
func TestPythonNotUTF8(t *testing.T) {
	harness.NeedPython(t)
	const text = "import colorsys\ncolorsys.rgb_to_hsv(1, 1, 1)\nprint('done')\n"
	script := writeScript(t, "script.py", text)
	prefix := filepath.Join(t.TempDir(), "\xff") // of another installation
	bin, site := filepath.Join(prefix, "bin"), filepath.Join(prefix, "user/lib/python3.11/site-packages")
	harness.Run(t, "mkdir", "-p", bin, site, filepath.Join(prefix, "lib"))
	harness.Run(t, "cp", harness.Python, filepath.Join(bin, "python3"))
	harness.Run(t, "ln", "-s", "/usr/lib/python3.11", filepath.Join(prefix, "lib"))
	harness.Run(t, "cp", script, filepath.Join(site, "usercustomize.py"))
	link := filepath.Join(t.TempDir(), "python3")
	harness.Run(t, "ln", "-s", filepath.Join(bin, "python3"), link)
	for _, c := range []struct {
		name, variable, value string
		command               []string
	}{
		{name: "script", command: []string{harness.Python, writeScript(t, "\xff.py", text)}},
		{name: "program behind a link", command: []string{link, script}},
		{name: "program", variable: "PATH", value: bin + ":" + os.Getenv("PATH"), command: []string{"python3", script}},
		{name: "module of the user", variable: "PYTHONUSERBASE", value: filepath.Join(prefix, "user"), command: []string{harness.Python, script}},
	} {
		for _, follow := range []string{"--follow", "--no-follow"} {
			t.Run(c.name+follow, func(t *testing.T) {
				if c.variable != "" {
					t.Setenv(c.variable, c.value)
				}
				want := harness.Run(t, c.command...)
				trace := filepath.Join(t.TempDir(), "trace.arrow")
				stdout, stderr, status := harness.Utrace(t, slices.Concat([]string{"record", "-o", trace, follow, "--preset", "python", "--"}, c.command)...)
				if status != 0 || stdout != want || !strings.Contains(stderr, "not UTF-8") {
					t.Errorf("status %d, output %q\n%s", status, stdout, stderr)
				}
			})
		}
	}
}

// pythonForks has 3 children that call f 10 times each, calls f 5 times itself, and executes the
// script NEXT.
const pythonForks = `import os, sys, time
def f(): pass
for i in range(3):
    pid = os.fork()
    if pid == 0:
        for i in range(10): f()
        os._exit(0)
    os.waitpid(pid, 0)
for i in range(5): f()
if "NEXT" in os.environ: os.execv(sys.executable, [sys.executable, os.environ["NEXT"]])
print("done")
`

// pythonLoops calls f 20 times in two seconds.
const pythonLoops = `import time
def f(): time.sleep(0.1)
for i in range(20): f()
print("done")
`

// writeScript writes a script and returns its path.
func writeScript(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPythonNotUTF8Child: a program whose path is not UTF-8 runs without probes, whoever starts it.
// The others are recorded in full.
func TestPythonNotUTF8Child(t *testing.T) {
	harness.NeedPython(t)
	forks, bad := writeScript(t, "forks.py", pythonForks), writeScript(t, "\xff.py", pythonLoops)
	for how, script := range map[string]string{
		"by a shell":        `"$1" "$2"; "$1" "$3"; echo $?; "$1" "$2"`,
		"in its place":      `"$1" "$2"; NEXT="$3" "$1" "$2"; echo $?`,
		"in its directory":  `"$1" "$2"; cd "$(dirname "$3")"; mkdir -p "$(printf '\377')"; cd "$(printf '\377')"; cp "$3" x.py; "$1" x.py; echo $?; cd /; "$1" "$2"`,
		"by its PYTHONPATH": `"$1" "$2"; PYTHONPATH="$3" "$1" -c 'print("done")'; echo $?; "$1" "$2"`,
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			trace := filepath.Join(t.TempDir(), "trace.arrow")
			stdout, stderr, status := harness.Utrace(t, "record", "-o", trace, "--preset", "python", "--", "sh", "-c", script, "sh", harness.Python, forks, bad)
			if status != 0 || strings.Contains(stdout, "\n1\n") || !strings.Contains(stdout, "done\n0\n") || strings.Count(stderr, "UTF-8, which breaks CPython") != 1 {
				t.Errorf("status %d, output %q\n%s", status, stdout, stderr)
			}
			harness.Validate(t, trace)
			r := harness.Analyze(t, trace)
			harness.WantCounts(t, "calls", r.Calls(), map[string]uint64{"forks.py.f": 2 * (3*10 + 5), "\xff.py.f": 0})
		})
	}
}

// TestPythonNotUTF8Elsewhere: such programs run, and start, while a command, a process or the whole
// machine is recorded.
func TestPythonNotUTF8Elsewhere(t *testing.T) {
	harness.NeedPython(t)
	good, bad := writeScript(t, "good.py", pythonLoops), writeScript(t, "\xff.py", pythonLoops)
	shell, _ := harness.Start(t, "sh", "-c", `while sleep 0.2; do "$0" "$1" >/dev/null; done`, harness.Python, good)
	for how, args := range map[string][]string{
		"a command":         {"--", harness.Python, good},
		"a process":         {"-d", "3s", "-p", strconv.Itoa(shell.Process.Pid), "--follow", "--wait"}, // the script may not be running just then
		"the whole machine": {"-d", "3s", "--wait"},
	} {
		t.Run(how, func(t *testing.T) {
			run := func() *exec.Cmd {
				cmd := exec.Command(harness.Python, bad)
				cmd.Stdout, cmd.Stderr = new(bytes.Buffer), new(bytes.Buffer)
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				return cmd
			}
			rec := harness.StartRecorder(t, append([]string{"--preset", "python"}, args...)...)
			others := []*exec.Cmd{run()}
			rec.Await(t)
			time.Sleep(time.Second)
			others = append(others, run())
			for _, cmd := range others {
				if err := cmd.Wait(); err != nil || fmt.Sprint(cmd.Stdout) != "done\n" {
					t.Errorf("%v\n%v", err, cmd.Stderr)
				}
			}
			stderr := rec.Wait(t)
			harness.Validate(t, rec.Trace)
			if calls := harness.Analyze(t, rec.Trace).Calls(); calls["good.py.f"] == 0 || calls["\xff.py.f"] != 0 {
				t.Errorf("calls %v\n%s", calls, stderr)
			}
		})
	}
}

// TestPythonNotUTF8End: programs are protected from the probe that ends a span as from the one that
// begins it.
func TestPythonNotUTF8End(t *testing.T) {
	harness.NeedPython(t)
	good, bad := writeScript(t, "good.py", pythonLoops), writeScript(t, "\xff.py", "def f(): pass\nf()\nprint('done')\n")
	rec := harness.StartRecorder(t, "-e", "usdt:"+harness.Python+":python:gc__start => python:function__return", "--", harness.Python, good)
	rec.Await(t)
	if out, err := exec.Command(harness.Python, bad).CombinedOutput(); err != nil || string(out) != "done\n" {
		t.Errorf("%v\n%s", err, out)
	}
	stderr := rec.Wait(t)
	if harness.Analyze(t, rec.Trace).Calls()["gc"] == 0 {
		t.Errorf("nothing was recorded\n%s", stderr)
	}
}

// pythonExecs waits for a line of input, and calls f twice. Then a second thread executes the
// script that is its argument.
const pythonExecs = `import os, sys, threading
def f(): pass
def go_on(): os.execv(sys.executable, [sys.executable, sys.argv[1]])
print("ready", flush=True)
sys.stdin.readline()
for i in range(2): f()
threading.Thread(target=go_on).start()
threading.Event().wait()
`

// TestPythonExecByThread: if another thread than the first executes a program, it becomes the
// first, and the kernel ties links to the first.
func TestPythonExecByThread(t *testing.T) {
	harness.NeedPython(t)
	execs, loops := writeScript(t, "execs.py", pythonExecs), writeScript(t, "loops.py", pythonLoops)
	for _, m := range harness.AttachMethods(t) {
		t.Run("command/"+m.String(), func(t *testing.T) {
			t.Parallel()
			trace := filepath.Join(t.TempDir(), "trace.arrow")
			stdout, stderr, status := harness.Utrace(t, "record", "--attach", m.String(), "-o", trace, "--preset", "python", "--", harness.Python, execs, loops)
			if status != 0 || stdout != "ready\ndone\n" {
				t.Errorf("status %d, output %q\n%s", status, stdout, stderr)
			}
			harness.Validate(t, trace)
			harness.WantCounts(t, "calls", harness.Analyze(t, trace).Calls(), map[string]uint64{"execs.py.f": 2, "loops.py.f": 20})
		})
		t.Run("process/"+m.String(), func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(harness.Python, execs, loops)
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out := new(bytes.Buffer)
			cmd.Stdout = out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
			rec := harness.StartRecorder(t, "--attach", m.String(), "--preset", "python", "--follow", "-p", strconv.Itoa(cmd.Process.Pid))
			rec.Await(t)
			in.Write([]byte("\n"))
			cmd.Wait()
			stderr := rec.Wait(t)
			if out.String() != "ready\ndone\n" {
				t.Errorf("output %q\n%s", out, stderr)
			}
			harness.Validate(t, rec.Trace)
			calls := harness.Analyze(t, rec.Trace).Calls()
			if calls["execs.py.f"] != 2 || calls["loops.py.f"] == 0 {
				t.Errorf("calls %v\n%s", calls, stderr)
			}
		})
	}
}

// TestPythonRefused: the trace and the summary name a refused probe once, however many processes
// have it. The kernel refuses a probe with a semaphore where another has none.
func TestPythonRefused(t *testing.T) {
	harness.NeedPython(t)
	bin := filepath.Join(t.TempDir(), "python3.11") // nobody else's
	harness.Run(t, "cp", harness.Python, bin)
	t.Setenv("PYTHONHOME", "/usr")
	script := writeScript(t, "forks.py", pythonForks)
	stdout, stderr, status := harness.Utrace(t, "list", "-v", bin, "python:function__entry")
	location := regexp.MustCompile(`location 0x([0-9a-f]+), semaphore`).FindStringSubmatch(stdout)
	if status != 0 || location == nil {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	addr, _ := strconv.ParseUint(location[1], 16, 64)
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.Kprobe, License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}})
	if err != nil {
		t.Fatal(err)
	}
	defer prog.Close()
	ex, err := link.OpenExecutable(bin)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ex.Uprobe("", prog, &link.UprobeOptions{Address: fileOffset(t, bin, addr)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for how, command := range map[string][]string{
		"a command and its children": {bin, script},
		"children of a command":      {"sh", "-c", `"$0" "$1"; "$0" "$1"`, bin, script},
	} {
		t.Run(how, func(t *testing.T) {
			r := recordRuntime(t, "python", nil, command...)
			if n := strings.Count(harness.Text(t, r.trace), "the kernel refuses a breakpoint there"); n != 1 {
				t.Errorf("told %d times in the trace\n%s", n, r.stderr)
			}
			if n := strings.Count(r.stderr, "1 function was left out"); n != 1 {
				t.Errorf("told %d times\n%s", n, r.stderr)
			}
		})
	}
}

// fileOffset returns the file offset of an address.
func fileOffset(t *testing.T, path string, addr uint64) uint64 {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && addr >= p.Vaddr && addr < p.Vaddr+p.Filesz {
			return addr - p.Vaddr + p.Off
		}
	}
	t.Fatalf("%s has no address %#x", path, addr)
	return 0
}
