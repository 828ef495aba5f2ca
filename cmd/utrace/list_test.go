//go:build linux

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"utrace/record/test/harness"
)

// listed returns the sorted lines of utrace list.
func listed(t *testing.T, args ...string) []string {
	t.Helper()
	stdout, stderr, status := utrace(t, append([]string{"list"}, args...)...)
	if status != 0 {
		t.Fatalf("utrace list %q: status %d\n%s", args, status, stderr)
	}
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	slices.Sort(lines)
	return lines
}

// readelfProbes returns what utrace list -v should print for a file: names, and locations below
// them.
func readelfProbes(t *testing.T, path string) (names, locations []string) {
	t.Helper()
	out, err := exec.Command("readelf", "-n", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	note := regexp.MustCompile(`(?m)^    Provider: (.*)\n    Name: (.*)\n    Location: 0x0*([0-9a-f]+), Base: 0x[0-9a-f]+, Semaphore: 0x([0-9a-f]+)\n    Arguments: ?(.*)$`)
	for _, m := range note.FindAllStringSubmatch(string(out), -1) {
		semaphore, args := "no semaphore", m[5]
		if n, _ := strconv.ParseUint(m[4], 16, 64); n != 0 {
			semaphore = fmt.Sprintf("semaphore %#x", n)
		}
		if args == "" {
			args = "no arguments"
		}
		names = append(names, path+" "+m[1]+":"+m[2])
		locations = append(locations, fmt.Sprintf("  location 0x%s, %s: %s", m[3], semaphore, args))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return names, locations
}

// TestListEqualsReadelf: every probe once, and with -v every location, semaphore and operand.
func TestListEqualsReadelf(t *testing.T) {
	harness.NeedTool(t, "readelf")
	compared := 0
	for _, glob := range []string{
		"/usr/bin/python3.11", "/usr/lib/postgresql/15/bin/postgres", "/usr/lib/*/libruby-3.1.so.3.1", "/usr/bin/php8.2", "/usr/lib/*/libvirt.so.0",
		"/usr/lib/*/libstdc++.so.6", "/usr/lib/jvm/java-17-openjdk-*/lib/server/libjvm.so",
	} {
		paths, _ := filepath.Glob(glob)
		if len(paths) == 0 {
			continue
		}
		compared++
		names, locations := readelfProbes(t, paths[0])
		if got := listed(t, paths[0]); !slices.Equal(got, names) {
			t.Errorf("%s: %d probes, readelf has %d", paths[0], len(got), len(names))
		}
		want := slices.Concat(names, locations)
		slices.Sort(want)
		if got := listed(t, "-v", paths[0]); !slices.Equal(got, want) {
			t.Errorf("%s -v:\n%s\nreadelf has\n%s", paths[0], strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if compared == 0 {
		t.Skip("no file with static probes")
	}
}

// TestListOfProcess: the probes of an object that was written, loaded and unlinked.
func TestListOfProcess(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: /proc/PID/map_files")
	}
	provider := harness.Target(t, "provider.c", "-O2")
	for name, args := range map[string][]string{"file": {"1", "0", "60000"}, "memory": {"-m", "1", "0", "60000"}} {
		t.Run(name, func(t *testing.T) { testListOfProcess(t, provider, args) })
	}
}

func testListOfProcess(t *testing.T, provider string, args []string) {
	cmd := exec.Command(provider, args...)
	stdout, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "loaded\n" {
		t.Fatalf("%q, %v", line, err)
	}
	pid := strconv.Itoa(cmd.Process.Pid)
	var path string
	var names []string
	for _, line := range listed(t, "-p", pid) {
		var name string
		path, name, _ = strings.Cut(line, " ")
		names = append(names, strings.TrimPrefix(name, "simplehttp:"))
	}
	if want := []string{"args_0", "args_1", "args_2", "args_3", "args_4", "args_5", "args_6", "file_transfer"}; !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
	if _, err := os.Stat(path); err == nil {
		t.Errorf("%s is still there", path)
	}
	got := listed(t, "-v", "-p", pid, "file_*")
	if len(got) != 2 || !strings.HasSuffix(got[0], ", no semaphore: 8@%rdi 8@%rsi 4@%rdx") && !strings.HasSuffix(got[0], ": 8@x0 8@x1 4@x2") {
		t.Errorf("%q", got)
	}
	machine := listed(t, "simplehttp:args_[36]")
	for _, want := range []string{path + " simplehttp:args_3", path + " simplehttp:args_6"} {
		if !slices.Contains(machine, want) {
			t.Errorf("of the machine: no %q in %q", want, machine)
		}
	}
}

// TestListFunctions: the functions that nm prints.
func TestListFunctions(t *testing.T) {
	harness.NeedTool(t, "nm")
	bin := harness.Target(t, "demo.c", "-O2", "-no-pie")
	out, err := exec.Command("nm", "-S", "--defined-only", bin).Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line) // address, size, type, name
		if len(f) == 4 && strings.ContainsAny(f[2], "tT") && !strings.Contains(f[3], ".cold") {
			addr, _ := strconv.ParseUint(f[0], 16, 64)
			size, _ := strconv.ParseUint(f[1], 16, 64)
			want = append(want, fmt.Sprintf("%s %s [%#x, %d bytes]", bin, f[3], addr, size))
		}
	}
	slices.Sort(want)
	got := listed(t, "-l", "-v", bin)
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("not listed: %s", w)
		}
	}
	if got := listed(t, "-l", bin, "parse_*"); !slices.Equal(got, []string{bin + " parse_header", bin + " parse_request"}) {
		t.Errorf("parse_*: %q", got)
	}
	if got := listed(t, "-l", bin, "/^(main|worker)$/"); !slices.Equal(got, []string{bin + " main", bin + " worker"}) {
		t.Errorf("regular expression: %q", got)
	}
	cxx := harness.Target(t, "exceptions.cpp")
	all := listed(t, "-l", cxx)
	for _, line := range all {
		if strings.Contains(line, " _Z") {
			t.Errorf("mangled: %s", line)
		}
	}
}

func TestListErrors(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/usr/bin/nosuch -x\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	demo := harness.Target(t, "demo.c")
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{fifo}, 1, "not a regular file"},
		{[]string{"-l", fifo, "x"}, 1, "not a regular file"},
		{[]string{demo}, 1, "no static probes in " + demo},
		{[]string{demo, "x"}, 1, "no static probes in " + demo},
		{[]string{"-l", demo, "no_such"}, 1, `functions in ` + demo + ` matches "no_such"`},
		{[]string{"/etc/passwd"}, 1, "not an ELF file"},
		{[]string{script}, 1, `a script; it is run by "/usr/bin/nosuch -x"`},
		{[]string{"/no/such/file", "x"}, 1, `no file "/no/such/file"`},
		{[]string{dir, "x"}, 1, dir + " is a directory"},
		{[]string{"-p", "999999999"}, 1, "no process 999999999"},
		{[]string{"-p", "x"}, 2, "not a process ID"},
		{[]string{"-p", strconv.Itoa(os.Getpid()), "no_such:probe"}, 1, "that process"},
		{[]string{"-p", "1,2"}, 2, "one process"},
		{[]string{"-p", "1", demo, "x"}, 2, "exclude each other"},
		{[]string{"a", "b", "c"}, 2, "at most 2"},
		{[]string{demo, "/(/"}, 2, "regular expression"},
		{[]string{"no_such_provider:no_such_probe"}, 1, "run on this machine"},
	} {
		stdout, stderr, status := utrace(t, append([]string{"list"}, c.args...)...)
		if status != c.status || !strings.Contains(stderr, c.want) || stdout != "" {
			t.Errorf("utrace list %q: status %d, want %d and %q\n%s%s", c.args, status, c.status, c.want, stdout, stderr)
		}
	}
}

// TestListHostileNames: names with control characters do not reach the terminal.
func TestListHostileNames(t *testing.T) {
	harness.NeedTool(t, "gcc")
	dir := t.TempDir()
	src, bin := filepath.Join(dir, "a.s"), filepath.Join(dir, "a.so")
	text := `.text
nop
.section .note.stapsdt,"","note"
.4byte 8,2f-1f,3
.asciz "stapsdt"
1: .8byte 0,0,0
.asciz "evil\033[2J"
.asciz "name\n"
.asciz "8@%rdi\r"
2: .balign 4
`
	if err := os.WriteFile(src, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-shared", "-nostdlib", "-o", bin, src).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	stdout, stderr, status := utrace(t, "list", "-v", bin)
	if status != 0 || strings.ContainsAny(stdout+stderr, "\x1b\r") || !strings.Contains(stdout, `evil\x1b[2J:name\n`) {
		t.Errorf("status %d: %q %q", status, stdout, stderr)
	}
}
