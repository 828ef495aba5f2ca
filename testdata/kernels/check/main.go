//go:build linux

// Command check records programs whose calls are known by number, and compares.
// As the first process of a virtual machine it sets the machine up before, and
// turns it off after. Its last line is PASS or FAIL.
//
//	check DIR    utrace and the programs that run.sh has built are in DIR
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	machine := os.Getpid() == 1
	if machine {
		setUp()
	}
	err := run(os.Args[len(os.Args)-1], machine)
	verdict := "PASS"
	if err != nil {
		fmt.Printf("check: %v\n", err)
		verdict = "FAIL"
	}
	fmt.Println(verdict)
	if machine {
		unix.Sync()
		unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	}
	if err != nil {
		os.Exit(1)
	}
}

// setUp makes the file systems that an init makes.
func setUp() {
	os.Args = []string{"init", "/"}
	for _, m := range []struct{ dir, fs string }{{"/proc", "proc"}, {"/sys", "sysfs"}, {"/tmp", "tmpfs"}, {"/dev", "devtmpfs"}} {
		os.MkdirAll(m.dir, 0o755)
		if err := unix.Mount("none", m.dir, m.fs, 0, ""); err != nil {
			fmt.Printf("mount %s: %v\n", m.dir, err)
		}
	}
}

// run makes all recordings; in a virtual machine, which is slow, in one way only.
func run(dir string, machine bool) error {
	tmp, err := os.MkdirTemp("", "check")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	u := &utrace{path: filepath.Join(dir, "utrace"), dir: dir, trace: filepath.Join(tmp, "trace.arrow")}
	doctor, err := exec.Command(u.path, "doctor").CombinedOutput()
	fmt.Printf("%s", doctor)
	if err != nil {
		return fmt.Errorf("utrace doctor: %w", err)
	}
	ways := []string{"auto"}
	if !machine && !bytes.Contains(doctor, []byte("way to attach        perf")) {
		ways = append(ways, "perf")
	}
	failed := 0
	for _, way := range ways {
		for _, c := range checks {
			began := time.Now()
			err := u.check(way, c)
			result := "ok"
			if err != nil {
				failed++
				result = err.Error()
			}
			fmt.Printf("%-4s  %s: %s (%.1f s)\n", way, c, result, time.Since(began).Seconds())
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d recordings failed", failed)
	}
	return nil
}

type utrace struct{ path, dir, trace string }

// check makes one recording and compares it.
func (u *utrace) check(way string, c check) error {
	os.Remove(u.trace)
	words := strings.Fields(c.command)
	bin := filepath.Join(u.dir, words[0])
	args := append([]string{"record", "--max-overhead=none", "--attach", way, "-o", u.trace}, c.flags...)
	for _, list := range []counts{c.calls, c.incomplete} {
		for name := range list {
			args = append(args, "-e", bin+":"+name)
		}
	}
	if c.sched {
		var err error
		for range 3 { // the clocks of an emulated machine differ when its host is busy
			if err = u.checkSched(c, append(args, "--sched"), bin); err == nil {
				break
			}
			os.Remove(u.trace)
		}
		return err
	}
	if c.static != "" {
		args = append(args, "-e", "usdt:"+bin+":values:"+c.static, "-e", "!usdt:"+bin+":values:in_memory")
		return u.checkFlow(c, args, bin, words[1:])
	}
	if len(c.flow) > 0 {
		for _, probe := range c.flow {
			args = append(args, "-e", probe)
		}
		return u.checkFlow(c, args, bin, words[1:])
	}
	if len(c.tree) > 0 {
		return u.checkTree(c, append(args, "--stack", "-e", "leaf", "--", bin))
	}
	if c.probe != "" {
		return u.checkProbe(c, append(args, "-e", bin+":"+c.probe, "--", bin))
	}
	var err error
	if c.inAll > 0 {
		err = u.recordAll(args, c.inAll, bin, words[1:])
	} else {
		err = output(exec.Command(u.path, append(append(args, "--", bin), words[1:]...)...))
	}
	if err != nil {
		return err
	}
	return u.compare(c)
}

// checkProbe records a function and compares the flow.
func (u *utrace) checkProbe(c check, args []string) error {
	if err := output(exec.Command(u.path, args...)); err != nil {
		return err
	}
	flow, err := exec.Command(u.path, "analyze", "--flow", u.trace).Output()
	if err != nil {
		return fmt.Errorf("analyze: %w", err)
	}
	var got []string
	for line := range strings.Lines(string(flow)) {
		if _, call, ok := strings.Cut(line, "] | "); ok {
			got = append(got, strings.TrimSpace(call))
		}
	}
	if !slices.Equal(got, c.want) {
		return fmt.Errorf("recorded %q, want %q", got, c.want)
	}
	return nil
}

// checkTree records the stacks of callers and looks for a path.
func (u *utrace) checkTree(c check, args []string) error {
	if err := output(exec.Command(u.path, args...)); err != nil {
		return err
	}
	tree, err := exec.Command(u.path, "analyze", "--tree", u.trace).Output()
	if err != nil {
		return fmt.Errorf("analyze: %w", err)
	}
	var names []string
	for line := range strings.Lines(string(tree)) {
		if _, name, ok := strings.Cut(line, " : "); ok {
			names = append(names, strings.Trim(name, " +-|\n"))
		}
	}
	if !strings.Contains(strings.Join(names, ";"), strings.Join(c.tree, ";")) {
		return fmt.Errorf("WRONG: %q has no %q", names, c.tree)
	}
	return nil
}

// checkFlow records and compares with what the program prints.
func (u *utrace) checkFlow(c check, args []string, bin string, words []string) error {
	cmd := exec.Command(u.path, append(append(args, "--", bin), words...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%v: %w: %s", cmd, err, &stderr)
	}
	flow, err := exec.Command(u.path, "analyze", "--flow", u.trace).Output()
	if err != nil {
		return fmt.Errorf("analyze: %w", err)
	}
	var got, want []string
	for line := range strings.Lines(string(flow)) {
		if _, call, ok := strings.Cut(line, "] | "); ok {
			got = append(got, call)
		}
	}
	for line := range strings.Lines(stdout.String()) {
		if c.kept == "" || slices.ContainsFunc(strings.Split(c.kept, " "), func(begin string) bool { return strings.HasPrefix(line, begin) }) {
			want = append(want, line)
		}
	}
	if !slices.Equal(got, want) || len(want) == 0 {
		at := 0
		for at < min(len(got), len(want)) && got[at] == want[at] {
			at++
		}
		return fmt.Errorf("WRONG: %d passes, want %d: %.200q, want %.200q", len(got), len(want), got[at:min(at+1, len(got))], want[at:min(at+1, len(want))])
	}
	return nil
}

// checkSched compares how times divide with what the program measures itself. The parts may be wrong by
// 10% of the time: the hits are outside of it, and cost 1 ms each in an emulated machine.
func (u *utrace) checkSched(c check, args []string, bin string) error {
	cmd := exec.Command(u.path, append(args, "--", bin)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%v: %w: %s", cmd, err, &stderr)
	}
	if err := u.compare(c); err != nil {
		return err
	}
	text, err := exec.Command(u.path, "analyze", "--json", "--raw", u.trace).Output() // the recorder's part is a wait to the program
	if err != nil {
		return fmt.Errorf("analyze: %w", err)
	}
	var report struct {
		Functions []struct {
			Name       string
			TotalNs    float64 `json:"total_ns"`
			CPUNs      float64 `json:"cpu_ns"`
			RunnableNs float64 `json:"runnable_ns"`
			BlockedNs  float64 `json:"blocked_ns"`
		}
	}
	if err := json.Unmarshal(text, &report); err != nil {
		return err
	}
	type parts struct{ cpu, runnable, blocked float64 }
	want := map[string]parts{}
	for line := range strings.Lines(stdout.String()) {
		var name string
		var wall, cpu, delay float64
		if _, err := fmt.Sscan(line, &name, &wall, &cpu, &delay); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		sum := want[name]
		want[name] = parts{sum.cpu + cpu, sum.runnable + delay, sum.blocked + wall - cpu - delay}
	}
	for _, f := range report.Functions {
		got, want := parts{f.CPUNs, f.RunnableNs, f.BlockedNs}, want[f.Name]
		if worst := max(math.Abs(got.cpu-want.cpu), math.Abs(got.runnable-want.runnable), math.Abs(got.blocked-want.blocked)); worst > f.TotalNs/10 {
			return fmt.Errorf("WRONG: %s, of %.0f ns: %.0f, want %.0f", f.Name, f.TotalNs, got, want)
		}
	}
	return nil
}

// recordAll records all processes while a command runs a few times.
func (u *utrace) recordAll(args []string, times int, bin string, words []string) error {
	rec := exec.Command(u.path, args...)
	var text bytes.Buffer
	rec.Stderr = &text
	if err := rec.Start(); err != nil {
		return err
	}
	// The file has its first bytes just before the probes are turned on.
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if info, err := os.Stat(u.trace); err == nil && info.Size() > 0 {
			break
		}
	}
	time.Sleep(time.Second)
	for range times {
		if err := output(exec.Command(bin, words...)); err != nil {
			return err
		}
	}
	rec.Process.Signal(syscall.SIGTERM)
	if err := rec.Wait(); err != nil {
		return fmt.Errorf("%v: %w: %s", rec, err, &text)
	}
	return nil
}

func output(cmd *exec.Cmd) error {
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w: %s", cmd, err, text)
	}
	return nil
}

func (u *utrace) compare(c check) error {
	text, err := exec.Command(u.path, "analyze", "--json", u.trace).Output()
	if err != nil {
		return fmt.Errorf("analyze: %w", err)
	}
	var report struct {
		Trace     struct{ Lost uint64 }
		Functions []struct {
			Name              string
			Calls, Incomplete uint64
		}
	}
	if err := json.Unmarshal(text, &report); err != nil {
		return err
	}
	var wrong []string
	if report.Trace.Lost > 0 {
		wrong = append(wrong, fmt.Sprintf("%d events lost", report.Trace.Lost))
	}
	calls, incomplete := counts{}, counts{}
	for _, f := range report.Functions {
		calls[f.Name], incomplete[f.Name] = f.Calls, f.Incomplete
	}
	for name, want := range c.calls {
		if calls[name] != want {
			wrong = append(wrong, fmt.Sprintf("%d calls of %s, want %d", calls[name], name, want))
		}
	}
	for name, got := range incomplete {
		if want := c.incomplete[name]; got != want {
			wrong = append(wrong, fmt.Sprintf("%d incomplete calls of %s, want %d", got, name, want))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("WRONG: %s", strings.Join(wrong, ", "))
	}
	return nil
}
