//go:build linux

package calls

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"utrace/record/test/harness"
)

// recordStacks records with stacks. It returns the calls by path, and what utrace prints.
func recordStacks(t *testing.T, outermost []string, args ...string) (paths map[string]int64, stderr string) {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	_, stderr, status := harness.Utrace(t, append([]string{"record", "--stack", "-o", trace}, args...)...)
	if status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	harness.Validate(t, trace)
	return pathsOf(harness.Profile(t, trace), outermost), stderr
}

// pathsOf returns the calls of a profile by path. A path begins with the innermost function, and
// ends at one of outermost.
func pathsOf(p *profile.Profile, outermost []string) map[string]int64 {
	paths := map[string]int64{}
	for _, s := range p.Sample {
		var names []string
		for _, l := range s.Location {
			name := l.Line[0].Function.Name
			names = append(names, name)
			if slices.Contains(outermost, name) {
				break
			}
		}
		if calls := s.Value[0]; calls > 0 { // otherwise it is a sample of CPU time
			paths[strings.Join(names, " ")] += calls
		}
	}
	return paths
}

// stacksPaths returns how often testdata/targets/stacks.c calls work and leaf on each path.
func stacksPaths() map[string]int64 {
	return map[string]int64{
		"work one two main":                              100,
		"leaf between work one two main":                 100,
		"work again again again again main":              10,
		"leaf between work again again again again main": 10,
		"work one thread":                                1,
		"leaf between work one thread":                   1,
	}
}

// TestStacks: paths with recursion and in threads are those of the program, however its functions
// are probed. The program runs for 10 ms.
func TestStacks(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "stacks.c", "-O1", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls")
	for name, flags := range map[string][]string{
		"functions":   {"-e", "work", "-e", "leaf"},
		"first bytes": {"-e", "work", "-e", "leaf", "--place", "entry"},
		"perf events": {"-e", "work", "-e", "leaf", "--attach", "perf"},
		"by file":     {"-e", bin + ":work", "-e", bin + ":leaf"},
		"with limit":  {"-e", "work", "-e", "leaf", "--max-overhead", "99%"},
		"arguments":   {"-e", "work(n:s32) if n == 7", "-e", "leaf"},
		"conditions":  {"-e", "work if pid != 1", "-e", "leaf"},
		"slow calls":  {"-e", "work(arg1:s32)", "-e", "leaf", "--slower-than", "1ns"},
	} {
		t.Run(name, func(t *testing.T) {
			paths, stderr := recordStacks(t, []string{"main", "thread"}, append(flags, "--", bin)...)
			if want := stacksPaths(); !maps.Equal(paths, want) {
				t.Errorf("paths %v\nwant %v", paths, want)
			}
			if strings.Contains(stderr, "frame pointers") || strings.Contains(stderr, "without a stack") {
				t.Errorf("it says:\n%s", stderr)
			}
		})
	}
}

// TestStacksOfProcess attaches to a running process.
func TestStacksOfProcess(t *testing.T) {
	harness.NeedKernel(t)
	service, _ := harness.Start(t, harness.Target(t, "stacks.c", "-O1", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls"), "100000")
	paths, _ := recordStacks(t, []string{"main", "thread"}, "-d", "1s", "-e", "work", "-e", "leaf", "-p", strconv.Itoa(service.Process.Pid))
	for path, n := range paths { // work was called before the recording, its return probe was in place already
		if n == 1 && strings.Contains(path, " [caller of a probed function] ") {
			delete(paths, path)
		}
	}
	got, want := slices.Sorted(maps.Keys(paths)), slices.Sorted(maps.Keys(stacksPaths()))
	if !slices.Equal(got, want) {
		t.Errorf("paths %q\nwant %q", got, want)
	}
}

// TestStacksPIDReuse: a process has the PID and the stacks of an earlier one.
func TestStacksPIDReuse(t *testing.T) {
	harness.NeedKernel(t)
	const count = 12
	bin := harness.Target(t, "family.c", "-O1", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls")
	paths, stderr := recordStacks(t, []string{"main"}, "-e", "work", "--", bin, "reuse", strconv.Itoa(count))
	// They end at once. Now and then the mappings of one can no longer be read.
	if n := paths["work job leave main"]; n < 3*count*3/4 {
		t.Errorf("%d calls of work in leave, want %d: %v\n%s", n, 3*count, paths, stderr)
	}
}

// TestStacksWithoutFramePointers: the direct caller is recorded, and no other. plan and record say
// why.
func TestStacksWithoutFramePointers(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "stacks.c", "-O2", "-fomit-frame-pointer", "-fno-optimize-sibling-calls")
	paths, stderr := recordStacks(t, nil, "-e", "work", "-e", "leaf", "--", bin)
	want := map[string]int64{
		"work one": 101, "work again": 10, "leaf between work one": 101, "leaf between work again": 10,
	}
	if !maps.Equal(paths, want) {
		t.Errorf("paths %v\nwant %v", paths, want)
	}
	if n := strings.Count(stderr, bin+" is built without frame pointers"); n != 2 {
		t.Errorf("it says:\n%s", stderr)
	}
	plan, _, _ := harness.Utrace(t, "plan", "--stack", "-e", "work", "--", bin)
	if !strings.Contains(plan, bin+" is built without frame pointers") {
		t.Errorf("the plan says:\n%s", plan)
	}
}

// TestStacksOfGo: Go programs keep frame pointers. The runtime chooses where a goroutine's stack
// is, and may move it.
func TestStacksOfGo(t *testing.T) {
	harness.NeedKernel(t)
	dir := t.TempDir()
	source := `package main

import "sync"

var sum int
var mu sync.Mutex

//go:noinline
func leaf(n int) { mu.Lock(); sum += n; mu.Unlock() }

//go:noinline
func between(n int) { leaf(n) ; leaf(n) }

//go:noinline
func grow(n int) {
	var large [4096]byte
	large[n] = 1
	if n > 0 {
		grow(n - 1)
	} else {
		between(int(large[n]))
	}
	sum += int(large[n/2])
}

func main() {
	var wg sync.WaitGroup
	for range 10 {
		wg.Add(1)
		go func() { grow(20); wg.Done() }()
	}
	wg.Wait()
	between(1)
}
`
	if err := os.WriteFile(dir+"/main.go", []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "prog")
	harness.Run(t, "go", "build", "-o", bin, dir+"/main.go")
	paths, stderr := recordStacks(t, []string{"main.main", "main.main.func1"}, "-e", "main.leaf", "--", bin)
	want := map[string]int64{
		"main.leaf main.between main.main":                                               2,
		"main.leaf main.between" + strings.Repeat(" main.grow", 21) + " main.main.func1": 20,
	}
	if !maps.Equal(paths, want) {
		t.Errorf("paths %v\nwant %v", paths, want)
	}
	if strings.Contains(stderr, "frame pointers") {
		t.Errorf("it says:\n%s", stderr)
	}
}
