//go:build linux

package calls

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

// rounds makes 3,000 calls of work, which calls leaf twice, once it has read a byte. Every tenth
// fails. It then waits until its input ends.
const rounds = `
#include <unistd.h>
__attribute__((noinline)) int leaf(int i) { return i; }
__attribute__((noinline)) int work(int i) { leaf(i); leaf(i); return i % 10 ? 1 : -1; }
int main(void)
{
	char byte;
	read(0, &byte, 1);
	for (int i = 0; i < 3000; i++) {
		work(i);
		usleep(300);
	}
	write(1, "done\n", 5);
	read(0, &byte, 1);
	return 0;
}
`

// topLine is a line of "utrace top --json".
type topLine struct {
	Lost      uint64
	Functions []struct {
		Name            string
		Calls, Errors   uint64
		CallsSinceStart uint64 `json:"calls_since_start"`
	}
}

// TestTop: the counts of the intervals add up to those of the program itself, of a recording at the
// same time, and of bpftrace. Errors are counted.
func TestTop(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Program(t, "rounds", rounds, "-g")
	target := exec.Command(program)
	stdin, err := target.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := target.StdoutPipe()
	if err == nil {
		err = target.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { target.Process.Kill() })
	pid := fmt.Sprint(target.Process.Pid)

	probes := []string{"-p", pid, "-e", "work -> s32", "-e", "leaf"}
	rec := harness.StartRecorder(t, probes...)
	rec.Await(t)
	top := exec.Command(harness.Binary(), append([]string{"top", "--json"}, probes...)...)
	lines := startTool(t, top)
	if !lines.Scan() { // its probes are on
		t.Fatal("no line of top")
	}
	var counter *exec.Cmd
	var counts *bufio.Scanner
	if _, err := exec.LookPath("bpftrace"); err == nil {
		counter = harness.Bpftrace(t, "-e", fmt.Sprintf(`BEGIN { printf("ready\n"); } uprobe:%s:leaf /pid == %s/ { @leaf = count(); }`, program, pid))
		counts = startTool(t, counter)
		for counts.Scan() && counts.Text() != "ready" {
		}
	}
	fmt.Fprintln(stdin)
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatal(err)
	}

	rec.Stop(t)
	top.Process.Signal(os.Interrupt)
	calls, errors := map[string]uint64{}, map[string]uint64{}
	var all uint64
	for lines.Scan() {
		var line topLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil || line.Lost > 0 {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		for _, f := range line.Functions {
			calls[f.Name] += f.Calls
			errors[f.Name] += f.Errors
			if f.Name == "leaf" {
				all = f.CallsSinceStart
			}
		}
	}
	if err := top.Wait(); err != nil {
		t.Error(err)
	}
	recorded := harness.Analyze(t, rec.Trace).Calls()
	for name, want := range map[string]uint64{"work": 3000, "leaf": 6000} {
		if calls[name] != want || recorded[name] != want {
			t.Errorf("%s: %d calls in top, %d recorded, want %d", name, calls[name], recorded[name], want)
		}
	}
	if all != 6000 || errors["work"] != 300 || errors["leaf"] != 0 {
		t.Errorf("%d calls of leaf since the start, errors %v; want 6000, and 300 of work", all, errors)
	}
	if counter != nil {
		counter.Process.Signal(os.Interrupt)
		for counts.Scan() {
			if text := counts.Text(); strings.HasPrefix(text, "@leaf") && text != "@leaf: 6000" {
				t.Errorf("bpftrace: %s, want 6000", text)
			}
		}
		counter.Wait()
	}
}

// startTool starts a program that is killed when the test ends, and returns the lines that it prints.
func startTool(t *testing.T, cmd *exec.Cmd) *bufio.Scanner {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		if t.Failed() {
			t.Logf("%s: %s", cmd.Args[0], stderr.String())
		}
	})
	return bufio.NewScanner(stdout)
}
