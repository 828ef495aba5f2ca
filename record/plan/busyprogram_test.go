//go:build linux

package plan

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"utrace/record/internal/elffile"
	"utrace/record/internal/image"
	"utrace/record/internal/probe"
)

// noPID is a process ID that no process has: the kernel's limit is 1<<22.
const noPID = 1 << 23

// fakeProgram returns processes of one program, with IDs from noPID+first on. Its file is a fixture.
func fakeProgram(t *testing.T, path string, first, n int) (list []runningProcess) {
	t.Helper()
	files := image.NewSet()
	t.Cleanup(files.Close)
	program, err := files.Get("", 0, path, "../../testdata/elf/pie.elf")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		list = append(list, runningProcess{
			pid: noPID + first + i, name: filepath.Base(path), program: program, files: []*image.Image{program},
		})
	}
	return list
}

// TestBusyPrograms checks that the processes of a program count together, and that idle programs,
// kernel threads and programs that cannot be examined are no choice.
func TestBusyPrograms(t *testing.T) {
	workers := fakeProgram(t, "/usr/bin/worker", 0, 3)
	server := fakeProgram(t, "/usr/bin/server", 10, 1)
	idle := fakeProgram(t, "/usr/bin/idle", 20, 2)
	unknown := runningProcess{pid: noPID + 30, name: "unknown"}

	busy := busyPrograms(slices.Concat(idle, workers, server, []runningProcess{unknown}), map[int]float64{
		noPID: 0.006, noPID + 2: 0.006, // the second worker used nothing
		noPID + 10: 0.87,
		noPID + 20: 0.005, noPID + 21: 0.004,
		noPID + 30: 0.5, noPID + 40: 0.5, // the last is no process of the list
	})
	var got []string
	for _, b := range busy {
		got = append(got, b.String())
	}
	want := []string{
		fmt.Sprintf("server (process %d, 87%% of a CPU)", noPID+10),
		"worker (2 processes, 1% of a CPU)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("busy: %q, want %q", got, want)
	}
}

// TestChooseBusy checks which busy programs are chosen, and what is said of the others.
func TestChooseBusy(t *testing.T) {
	var list []runningProcess
	shares := map[int]float64{}
	for i := range maxBusyPrograms + 2 {
		list = append(list, fakeProgram(t, fmt.Sprintf("/usr/bin/p%02d", i), i, 1)...)
		shares[noPID+i] = 0.9 - float64(i)/100
	}
	python := fakeProgram(t, "/usr/bin/python3.12", 100, 1) // the fixture has no static probes
	list = append(list, python[0])
	shares[noPID+100] = 0.99

	chosen, passed := chooseBusy(&image.Set{}, busyPrograms(list, shares), maxBusyPrograms)
	if len(chosen) != maxBusyPrograms || chosen[0].program.Path != "/usr/bin/python3.12" || chosen[1].program.Path != "/usr/bin/p00" {
		t.Errorf("%d programs are chosen, the first is %s", len(chosen), chosen[0])
	}
	last := maxBusyPrograms - 1 // python has taken a place
	want := fmt.Sprintf("functions of programs less busy than these 20: p%d (process %d, 71%% of a CPU), p%d (process %d, 70%% of a CPU), p%d (process %d, 69%% of a CPU)",
		last, noPID+last, last+1, noPID+last+1, last+2, noPID+last+2)
	if !slices.Equal(passed, []string{want}) {
		t.Errorf("passed over %q, want %q", passed, want)
	}
}

// TestBusyInterpreter checks that an interpreter with static probes is left to its preset.
func TestBusyInterpreter(t *testing.T) {
	const path = "/usr/bin/python3.11"
	file, err := elffile.Open(path)
	if err != nil {
		t.Skipf("needs a Python with static probes: %v", err)
	}
	t.Cleanup(func() { file.Close() })
	if list, _ := file.USDTProbes(); len(list) == 0 {
		t.Skipf("needs a Python with static probes: %s has none", path)
	}
	program := &image.Image{Path: path, File: file}
	r := runningProcess{pid: noPID, name: "python3.11", program: program, files: []*image.Image{program}}
	chosen, passed := chooseBusy(&image.Set{}, busyPrograms([]runningProcess{r}, map[int]float64{noPID: 1}), maxBusyPrograms)
	if len(chosen)+len(passed) > 0 {
		t.Errorf("chosen %v, passed over %q, want neither", chosen, passed)
	}
}

// TestBusyTextReader checks that a program that reads its own code is not chosen.
func TestBusyTextReader(t *testing.T) {
	path := copyProgram(t, "/bin/sleep", "valgrind")
	pid := startProcess(t, path, "60").Process.Pid
	r := fakeProcess(t, pid, "valgrind", path)
	r.program = r.files[0]
	chosen, passed := chooseBusy(&image.Set{}, busyPrograms([]runningProcess{r}, map[int]float64{pid: 1}), maxBusyPrograms)
	want := fmt.Sprintf("functions of valgrind (process %d, 100%% of a CPU): breakpoints may break it: process %d translates the code that it runs", pid, pid)
	if len(chosen) > 0 || !slices.Equal(passed, []string{want}) {
		t.Errorf("chosen %v, passed over %q, want %q", chosen, passed, want)
	}
}

// TestChoicesOfFunctions checks the lines about functions, and that these are no preset.
func TestChoicesOfFunctions(t *testing.T) {
	p := &Plan{Chosen: []Choice{
		{Preset: "dns", About: "name resolution", Processes: []string{"a (process 1)"}},
		{Processes: []string{"redis-server (process 123, 87% of a CPU)"}},
	}, Passed: []string{"functions of gdb (process 7, 3% of a CPU): process 7 debugs"}, Surplus: []string{"1 of 3 functions of a", "7 of 9 functions of b"}}
	want := []string{
		"chosen: preset dns (name resolution), for a (process 1)",
		"chosen: functions of redis-server (process 123, 87% of a CPU)",
		"not chosen: functions of gdb (process 7, 3% of a CPU): process 7 debugs",
		"not chosen: 1 of 3 functions of a, 7 of 9 functions of b: those of a runtime, those without a name, then the smallest; -e names them",
	}
	if got := p.Choices(); !slices.Equal(got, want) {
		t.Errorf("choices %q, want %q", got, want)
	}
	if got := p.PresetNames(Config{}); !slices.Equal(got, []string{"dns"}) {
		t.Errorf("presets %q", got)
	}
}

// TestExcludeInBusyProgram checks where functions are looked up on the machine: those of a busy
// program in this program only, those that are left out in all busy programs.
func TestExcludeInBusyProgram(t *testing.T) {
	program := fakeProgram(t, "/usr/bin/server", 0, 1)[0].program
	all, exclude := &probe.Probe{Text: "*", Path: "/usr/bin/server"}, &probe.Probe{Text: "!hot", Exclude: true}
	sc := &Scope{busy: map[*probe.Probe]busyProgram{all: {program: program}}}
	for _, pr := range []*probe.Probe{all, exclude} {
		if got, err := find(&image.Set{}, sc, pr); err != nil || !slices.Equal(got, []*image.Image{program}) {
			t.Errorf("%s: found %v, %v", pr.Text, got, err)
		}
	}
}

// TestMachine checks with real processes that a plan without targets and probes has the functions
// of a busy program, in all its processes, and not those of an idle one. The program may end and its
// file be deleted before the probes are attached.
func TestMachine(t *testing.T) {
	if testing.Short() {
		t.Skip("it looks at all processes for a second")
	}
	path := copyProgram(t, "/bin/bash", "busyshell")
	busy := startProcess(t, path, "-c", "while :; do :; done")
	idle := startProcess(t, "/bin/sleep", "60")

	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	lines := strings.Join(p.Choices(), "\n")
	if want := fmt.Sprintf("chosen: functions of busyshell (process %d, ", busy.Process.Pid); !strings.Contains(lines, want) {
		t.Errorf("no line %q in\n%s", want, lines)
	}
	if strings.Contains(lines, fmt.Sprintf("functions of sleep (process %d", idle.Process.Pid)) {
		t.Errorf("an idle process is chosen:\n%s", lines)
	}
	i := slices.IndexFunc(p.Modules, func(m *Module) bool { return m.Path == path })
	if i < 0 || len(p.Modules[i].Funcs) < 500 || len(p.Modules[i].PIDs) > 0 {
		t.Fatalf("the functions of %s are not planned for all its processes", path)
	}

	busy.Process.Kill()
	busy.Wait()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	img := p.Modules[i].Image
	if v, err := image.VersionOf(img.OpenPath); err != nil || v.Key != img.Key {
		t.Errorf("the file of a program that has been deleted cannot be opened: %v", err)
	}
}

// TestConfined checks with real processes that a program which loads plugins only when it starts is
// probed, with return probes, in the processes that run. One that loads them at any time is probed
// in all its processes, at its return instructions.
func TestConfined(t *testing.T) {
	if testing.Short() {
		t.Skip("it looks at all processes for a second")
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("needs a C compiler")
	}
	pids := map[string]int{}
	for name, option := range map[string]string{"redis-server": "enable-module-command", "other-server": "none"} {
		source := fmt.Sprintf(`#include <dlfcn.h>
			const char *option = "%s";
			__attribute__((noinline)) int work(int n) { return n ? n + *(volatile const char *)option : dlopen("", 0) != 0; }
			int main(void) { for (volatile int n = 1;; n = work(1)); }`, option)
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(filepath.Join(dir, "server.c"), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(cc, "-O1", "-o", path, filepath.Join(dir, "server.c"), "-ldl").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		pids[path] = startProcess(t, path).Process.Pid
	}

	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for path, pid := range pids {
		want, confined := ByInstruction, []int(nil)
		if filepath.Base(path) == "redis-server" {
			want, confined = ByTrampoline, []int{pid}
		}
		i := slices.IndexFunc(p.Modules, func(m *Module) bool { return m.Path == path })
		if i < 0 {
			t.Fatalf("%s is not planned", path)
		}
		m := p.Modules[i]
		j := slices.IndexFunc(m.Funcs, func(fn Func) bool { return fn.Name == "work" })
		if j < 0 || m.Funcs[j].ReturnBy != want || !slices.Equal(m.PIDs, confined) {
			t.Errorf("%s: probed in %v, want %v; functions %+v", path, m.PIDs, confined, m.Funcs)
		}
	}
}

// copyProgram copies a program to a file of another name.
func copyProgram(t *testing.T, program, name string) (path string) {
	t.Helper()
	code, err := os.ReadFile(program)
	if err != nil {
		t.Skipf("needs a program to run: %v", err)
	}
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, code, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// startProcess starts a program, and ends it with the test.
func startProcess(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	if err := cmd.Start(); err != nil {
		t.Skipf("needs %s: %v", name, err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd
}
