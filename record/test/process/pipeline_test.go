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
	"testing"

	"utrace/record/test/harness"
)

// These tests compare the calls of each program in a pipeline with bpftrace's count.

// mallocs is how often a process called malloc, and the last program that it executed.
type mallocs struct {
	name  string
	calls uint64
}

// bpftraceMallocs counts calls of malloc by process, on the whole machine, while a script runs. It
// also returns what the script prints.
func bpftraceMallocs(t *testing.T, shell, script string) (stdout string, byPID map[int]mallocs) {
	t.Helper()
	harness.NeedTool(t, "bpftrace")
	libc := regexp.MustCompile(`\S*/libc\.so\.6`).FindString(harness.Run(t, "ldd", "/bin/sh"))
	program := fmt.Sprintf(`uprobe:%s:malloc { @calls[pid] = count(); @name[pid] = comm; }`, libc)
	out, _ := exec.Command("bpftrace", "-e", program, "-c", shell+" "+script).Output()
	byPID = map[int]mallocs{}
	for _, m := range regexp.MustCompile(`@(calls|name)\[(\d+)\]: (\S+)`).FindAllStringSubmatch(string(out), -1) {
		pid, _ := strconv.Atoi(m[2])
		p := byPID[pid]
		if m[1] == "name" {
			p.name = m[3]
		} else {
			p.calls, _ = strconv.ParseUint(m[3], 10, 64)
		}
		byPID[pid] = p
	}
	if len(byPID) == 0 {
		t.Skipf("bpftrace has counted nothing:\n%s", out)
	}
	return string(out), byPID
}

// TestFollowTools records a pipeline of five programs of the distribution. They have names of their
// own, since other processes may run the same programs.
func TestFollowTools(t *testing.T) {
	harness.NeedKernel(t)
	dir := t.TempDir()
	names := []string{"sh", "cat", "sort", "uniq", "sed", "awk"}
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err == nil {
			err = os.Symlink(path, filepath.Join(dir, "my-"+name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	shell, script := filepath.Join(dir, "my-sh"), filepath.Join(dir, "script")
	os.WriteFile(script, []byte("cd "+dir+"; ./my-cat /etc/passwd | ./my-sort | ./my-uniq -c | ./my-sed s/root/ROOT/ | ./my-awk '{ n += $1 } END { print n }'\n"), 0o600)
	trace, _, _ := harness.RecordTree(t, []string{"--follow", "-e", "c:malloc"}, shell, script)
	byPID := map[int64]uint64{}
	for _, s := range harness.Profile(t, trace).Sample {
		byPID[s.NumLabel["pid"][0]] += uint64(s.Value[0]) // calls
	}
	got := slices.Sorted(maps.Values(byPID))
	var want []uint64
	_, theirs := bpftraceMallocs(t, shell, script)
	for _, process := range theirs {
		if strings.HasPrefix(process.name, "my-") {
			want = append(want, process.calls)
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) || len(got) != len(names) {
		t.Errorf("calls by process %v, bpftrace counts %v: %v", got, want, theirs)
	}
}

// TestFollowPipeline records a script with a pipeline of five programs that count their calls of
// malloc. bpftrace counts the shell's calls.
func TestFollowPipeline(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "mallocs.c", "-O1")
	script := filepath.Join(t.TempDir(), "script.sh")
	links := make([]string, 5)
	for i := range links {
		links[i] = fmt.Sprintf("%s %d", bin, 100*(i+1))
	}
	os.WriteFile(script, []byte("#!/bin/sh\necho begin | "+strings.Join(links, " | ")+"\n"), 0o700)

	// The shell also calls malloc in the child, before it executes the program.
	counts := func(text string, of func(pid int) uint64) (extra []uint64) {
		t.Helper()
		lines := regexp.MustCompile(`(?m)^(\d+) (\d+)$`).FindAllStringSubmatch(text, -1)
		if len(lines) != 5 {
			t.Fatalf("%d programs:\n%s", len(lines), text)
		}
		for _, m := range lines {
			pid, _ := strconv.Atoi(m[1])
			n, _ := strconv.ParseUint(m[2], 10, 64)
			extra = append(extra, of(pid)-n)
		}
		return extra
	}
	trace, stdout, _ := harness.RecordTree(t, []string{"--follow", "-e", "c:malloc"}, "/bin/sh", script)
	ours := counts(stdout, func(pid int) uint64 { return analyzePID(t, trace, pid).Calls()["malloc"] })
	all := harness.Analyze(t, trace).Calls()["malloc"]

	out, theirs := bpftraceMallocs(t, "/bin/sh", script)
	want := counts(out, func(pid int) uint64 { return theirs[pid].calls })
	if fmt.Sprint(ours) != fmt.Sprint(want) {
		t.Errorf("calls beyond those that each program makes: %v, bpftrace counts %v", ours, want)
	}
	t.Logf("%d calls in all, beyond the programs' own %v", all, ours)
}
