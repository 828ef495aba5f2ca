//go:build linux

package bystander

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"
	"time"

	"utrace/record/test/harness"
)

// program is a program that is not recorded.
type program struct {
	name    string
	command []string // the first word is looked up in PATH
	slow    bool     // takes a second: not in short tests
	// shows names files. Probes in them change what the program does, and utrace cannot know that:
	// it reads their code, or prints system calls. They matter if they are in all processes.
	shows   []string
	missing string // why it cannot run here
	want    result
}

// result is what a program does.
type result struct {
	stdout, stderr string
	status         string
}

// changing are the parts of outputs that differ from run to run: process IDs.
var changing = regexp.MustCompile(`\bprocess \d+`)

// maxTime limits how long a program runs. Alone, none takes more than two seconds.
const maxTime = 20 * time.Second

// run runs a program.
func (p *program) run() result {
	ctx, cancel := context.WithTimeout(context.Background(), maxTime)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, p.command[0], p.command[1:]...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Env = append(os.Environ(), "DEBUGINFOD_URLS=", "LC_ALL=C")
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	r := result{changing.ReplaceAllString(stdout.String(), "process N"), changing.ReplaceAllString(stderr.String(), "process N"), "exit status 0"}
	switch {
	case ctx.Err() != nil:
		r.status = fmt.Sprintf("no end within %v", maxTime)
	case err != nil:
		r.status = err.Error()
	}
	return r
}

// sources are the programs of testdata/targets/bystanders. Each has a function named work.
var sources = []string{"hello", "selfcopy", "checksum", "hook"}

// build builds the sources, and returns their paths by name.
func build(t *testing.T) map[string]string {
	t.Helper()
	built := map[string]string{}
	for _, name := range sources {
		built[name] = harness.Target(t, "bystanders/"+name+".c", "-O1", "-fno-builtin", "-ldl")
	}
	return built
}

const (
	ctypes = `import ctypes
libc = ctypes.CDLL("libc.so.6")
for name in "printf", "getaddrinfo", "malloc":
    print(name, ctypes.string_at(ctypes.cast(getattr(libc, name), ctypes.c_void_p).value, 16).hex(), flush=True)
libc.printf(b"%s %d\n", b"printed by C", 7)
libc.fflush(None)`
	javaSource = `public class Hello {
	static long work(long n) { return n * 31 + 7; }
	public static void main(String[] args) {
		long sum = 0;
		for (int i = 0; i < 3000000; i++) sum += work(i) ^ sum;
		System.out.println(sum);
	}
}`
	luaSource  = `local s = 0; for i = 1, 1e7 do s = s + i % 7 end; print(s)`
	nodeSource = `let s = 0; for (let i = 0; i < 1e6; i++) s += i % 7; require("dns").lookup("127.0.0.1", (e, a) => console.log(s, a))`
)

// programs returns the programs, with what they do alone. Those that fail even then are missing.
func programs(t *testing.T) []*program {
	t.Helper()
	built := build(t)
	java := filepath.Join(t.TempDir(), "Hello.java")
	if err := os.WriteFile(java, []byte(javaSource), 0o600); err != nil {
		t.Fatal(err)
	}
	emulator := map[string]string{"amd64": "qemu-x86_64", "arm64": "qemu-aarch64"}[runtime.GOARCH]
	hello := built["hello"]
	list := []*program{
		{name: "hello", command: []string{hello}},
		{name: "copy of its own text", command: []string{built["selfcopy"]}, shows: []string{"programs"}},
		{name: "checksum of its text", command: []string{built["checksum"]}, shows: []string{"programs", "libc"}},
		{name: "hook", command: []string{built["hook"]}, shows: []string{"programs", "libc"}},
		{name: "valgrind", command: []string{"valgrind", "-q", "--tool=none", hello}},
		{name: "memcheck", command: []string{"valgrind", "-q", "--tool=memcheck", "--leak-check=full", hello}, slow: true},
		{name: "gdb", command: []string{"gdb", "-nx", "-batch", "-ex", "tbreak work", "-ex", "run", "-ex", "bt", "-ex", "tbreak printf", "-ex", "continue", "-ex", "continue", hello}},
		{name: "strace", command: []string{"strace", "-e", "trace=write", hello}, shows: []string{"programs", "libc"}},
		{name: "python ctypes", command: []string{"/usr/bin/python3", "-c", ctypes}, shows: []string{"libc"}},
		{name: "node on huge pages", command: []string{"node", "--use-largepages=on", "-e", nodeSource}},
		{name: "java", command: []string{"java", java}, slow: true},
		{name: "luajit", command: []string{"luajit", "-e", luaSource}},
		{name: "emulator", command: []string{emulator, hello}},
	}
	for _, p := range list {
		if _, err := exec.LookPath(p.command[0]); err != nil {
			p.missing = fmt.Sprintf("not installed: %s", p.command[0])
			continue
		}
		p.want = p.run()
		if again := p.run(); again != p.want {
			p.missing = fmt.Sprintf("alone, it does not do the same twice:\n%s", difference(p.want, again))
		}
		if p.want.stdout == "" {
			p.missing = fmt.Sprintf("it prints nothing: %s %s", p.want.status, p.want.stderr)
		}
	}
	return list
}

// pathOf returns the file of an installed program, "" if it is not installed.
func pathOf(name string) string {
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrNotFound) {
		return ""
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return path
}
