//go:build linux

package untraceable

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"utrace/record/internal/elffile"
)

// TestReason: programs of each kind are recognized, also stripped ones, and ordinary ones are not.
func TestReason(t *testing.T) {
	dir := t.TempDir()
	sources := map[string]string{
		"plain.c":   `#include <stdio.h>` + "\n" + `int main(int argc, char **argv) { return puts("ptrace"); }`,
		"looking.c": `#include <stdio.h>` + "\n" + `int main(void) { char l[99]; int n = 0; sscanf(l, "TracerPid: %d", &n); return n; }`,
		"tracing.c": `#include <sys/ptrace.h>` + "\n" + `int main(void) { return ptrace(PTRACE_TRACEME, 0, 0, 0); }`,
		"plain.go":  "package main\n\nfunc main() { println(1) }",
		"tracing.go": "package main\n\nimport \"syscall\"\n\n" +
			"func main() { println(syscall.PtraceAttach(1)) }",
	}
	for name, text := range sources {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		build string
		env   string
		want  string
	}{
		{"gcc plain.c", "", ""},
		{"gcc -static plain.c", "", ""},
		{"gcc plain.c", "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libasan.so.8", leakSanitizer},
		{"gcc plain.c -fsanitize=address", "", leakSanitizer},
		{"gcc plain.c -fsanitize=leak", "", leakSanitizer},
		{"gcc plain.c -fsanitize=address -static-libasan -s", "", leakSanitizer},
		{"gcc plain.c -fsanitize=undefined", "", ""},
		{"gcc plain.c -fsanitize=thread", "", ""},
		{"clang-19 plain.c -fsanitize=address", "", leakSanitizer},
		{"gcc looking.c", "", looks},
		{"gcc tracing.c -s", "", traces},
		{"gcc tracing.c -static", "", traces},
		{"go build -ldflags=-s plain.go", "", ""},
		{"go build -ldflags=-s tracing.go", "", traces},
	} {
		t.Run(c.build, func(t *testing.T) {
			words := strings.Fields(c.build)
			out, at := filepath.Join(t.TempDir(), "program"), 1
			if words[0] == "go" {
				at = 2
			}
			args := append([]string{}, words[1:at]...)
			args = append(append(args, "-o", out), words[at:]...)
			cmd := exec.Command(words[0], args...)
			cmd.Dir = dir
			if text, err := cmd.CombinedOutput(); err != nil {
				t.Skipf("cannot be built: %v\n%s", err, text)
			}
			f, err := elffile.Open(out)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if got := reason(f, []string{c.env}); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestWarnings: there is a warning if a process that was let go, or a child of one, executes a
// program later.
func TestWarnings(t *testing.T) {
	strace, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip(err)
	}
	path := filepath.Join(t.TempDir(), "strace") // known by its name
	text, err := os.ReadFile(strace)
	if err == nil {
		err = os.WriteFile(path, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()

	p, pid := New(), cmd.Process.Pid
	if why := p.Executed(pid); why.Text != traces || why.All {
		t.Errorf("%+v", why)
	}
	p.Ran(pid, 1) // what it executed when it was let go
	p.Forked(pid, 1000001)
	p.Forked(1000001, 1000002)
	p.Forked(7, 8)
	p.Ran(8, 1<<62)
	if list := p.Warnings(); len(list) != 0 {
		t.Errorf("warnings %q", list)
	}
	p.Ran(1000002, 1<<62)
	if list := p.Warnings(); len(list) != 1 || !strings.HasPrefix(list[0], "strace traces processes: ") {
		t.Errorf("warnings %q", list)
	}
}
