//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// pace writes a trace of three functions that outer calls in turn; slow, if any, takes twice as
// long.
func pace(t *testing.T, name, slow string, seed uint64) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("meta {\"command\":[\"./app\"]}\nmodule {\"path\":\"/bin/app\"}\n")
	names := []string{"outer", "first", "second", "third"}
	for i, fn := range names {
		fmt.Fprintf(&b, "func {\"name\":%q,\"module\":0,\"addr\":%d}\n", fn, i)
	}
	b.WriteString("thread {\"pid\":1,\"tid\":1}\n")
	rng := rand.New(rand.NewPCG(seed, 1))
	now := 0
	for range 1000 {
		fmt.Fprintf(&b, "%d 0 entry 0 sp=0x7000\n", now)
		for i := 1; i < len(names); i++ {
			fmt.Fprintf(&b, "%d 0 entry %d sp=0x6000\n", now, i)
			d := 10_000*i + rng.IntN(1000)
			if names[i] == slow {
				d *= 2
			}
			now += d
			fmt.Fprintf(&b, "%d 0 return %d sp=0x6000\n", now, i)
		}
		fmt.Fprintf(&b, "%d 0 return 0 sp=0x7000\n", now)
	}
	fmt.Fprintf(&b, "end {\"stop\":{\"mono_ns\":%d}}\n", now)
	path := filepath.Join(t.TempDir(), name)
	writeText(t, path, b.String())
	return path
}

func TestDiffCommand(t *testing.T) {
	one, two, slow := pace(t, "one", "", 1), pace(t, "two", "", 2), pace(t, "slow", "second", 3)
	for _, c := range []struct {
		args           []string
		status         int
		stdout, stderr string // what is in them
	}{
		{[]string{one, two}, 0, "# result  0 of 4 functions changed significantly", ""},
		{[]string{one, slow}, 0, "# result  2 of 4 functions", ""},
		{[]string{one, two, "--", two, one}, 0, ": 2 traces, 61.507 ms + 61.489 ms, 16000 events", ""},
		{[]string{one, two, "--", slow, slow}, 2, "", "are the same file: its calls would count twice"},
		{[]string{one, one, "--", slow}, 2, "", "are the same file"},
		{[]string{"--json", "--pprof", "-", one, two}, 2, "", "both to standard output"},
		{[]string{"--raw", one, two}, 0, "# probes  not subtracted: all times are as measured", ""},
		{[]string{"--fail-if", "p50 > +10%", one, two}, 0, "# result", ""},
		{[]string{"--fail-if", "second: p50 > +10%", one, slow}, 1, "# result", "utrace: failed: second: p50 from 20."},
		{[]string{"--color=always", "--fail-if", "second: p50 > +10%", one, slow}, 1, "%*\x1b[0m", "\x1b[31mutrace: failed: second: p50 from 20."},
		{[]string{"--fail-if", "third: p50 > +10%", one, slow}, 0, "# result", ""},
		{[]string{"--fail-if", "nothing: p50 > +10%", one, slow}, 1, "# result", "utrace: could not compare: "},
		{[]string{"--fail-if", "max > +10%", one, slow}, 1, "# result", "utrace: could not compare: "},
		{[]string{one, "/does/not/exist"}, 1, "", "utrace: could not compare: open /does/not/exist"},
		{[]string{"--fail-if", "p50", one, two}, 2, "", "want METRIC > CHANGE"},
		{[]string{"--min-change", "x", one, two}, 2, "", "want a percentage"},
		{[]string{"--why", "outer", one, slow}, 0, "New calls of outer took 20 us longer than old ones. 100% of that is in longer calls of second.\n", ""},
		{[]string{"--why", "outer", slow, one}, 0, "New calls of outer took 20 us less than old ones. 100% of that is in shorter calls of second.\n", ""},
		{[]string{"--why", "outer", "--json", one, slow}, 0, `"change": true`, ""},
		{[]string{"--why", "nothing", one, slow}, 1, "", "--why nothing: no function with a complete call matches"},
		{[]string{"--why", "outer", "--fail-if", "p50 > +10%", one, slow}, 2, "", "--why FUNC explains one function"},
		{[]string{one}, 2, "", "want OLD NEW"},
		{[]string{one, two, slow}, 2, "", "OLD... -- NEW... for several"},
		{[]string{one, "--"}, 2, "", "before and after"},
		{[]string{"--pprof", one, one, two}, 2, "", "one of the traces"},
	} {
		stdout, stderr, status := utrace(t, append([]string{"diff"}, c.args...)...)
		if status != c.status || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) || c.stderr == "" && stderr != "" {
			t.Errorf("diff %q: status %d, want %d\n%s%s", c.args, status, c.status, stdout, stderr)
		}
	}
	stdout, _, _ := utrace(t, "diff", one, slow)
	if lines := strings.Split(strings.TrimSpace(stdout), "\n"); !strings.HasSuffix(lines[len(lines)-4], "  second") {
		t.Errorf("second is not the first:\n%s", stdout)
	}
}

// The profile of the differences holds, function by function, new self time and calls less the old
// ones, as the JSON has them.
func TestDiffProfile(t *testing.T) {
	one, slow := pace(t, "one", "", 1), pace(t, "slow", "second", 3)
	pb := filepath.Join(t.TempDir(), "diff.pb.gz")
	stdout, stderr, status := utrace(t, "diff", "--json", "--fail-if", "self > 1ms", "--pprof", pb, one, slow)
	if status != 1 {
		t.Fatal(status, stderr)
	}
	var diff struct {
		Functions []struct {
			Name, State string
			Significant bool
			Metrics     map[string]struct {
				Old, New    int64
				Significant bool
			}
		}
		Failed []struct {
			Condition string
			Functions []string
		}
	}
	if err := json.Unmarshal([]byte(stdout), &diff); err != nil {
		t.Fatal(err)
	}
	if len(diff.Functions) != 4 || diff.Functions[0].Name != "second" || diff.Functions[0].State != "both" || !diff.Functions[0].Metrics["p50"].Significant {
		t.Errorf("%+v", diff.Functions)
	}
	if len(diff.Failed) != 1 || diff.Failed[0].Condition != "self > 1ms" || diff.Failed[0].Functions[0] != "second" {
		t.Errorf("%+v", diff.Failed)
	}
	want, err := os.ReadFile(pb)
	if err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, status := utrace(t, "diff", "--fail-if", "self > 1ms", "--pprof", "-", one, slow); stdout != string(want) || status != 1 || !strings.Contains(stderr, "failed: ") {
		t.Errorf("--pprof -: status %d, %d bytes, want %d\n%s", status, len(stdout), len(want), stderr)
	}
	p, err := profile.ParseData(want)
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string][2]int64{}
	for _, s := range p.Sample {
		name := s.Location[0].Line[0].Function.Name
		sums[name] = [2]int64{sums[name][0] + s.Value[0], sums[name][1] + s.Value[1]}
		if base := len(s.Label["pprof::base"]) > 0; base != (s.Value[1] < 0 || s.Value[0] < 0) {
			t.Errorf("%v %v", s.Value, s.Label)
		}
	}
	for _, fn := range diff.Functions {
		calls, self := fn.Metrics["calls"], fn.Metrics["self"]
		if got, want := sums[fn.Name], [2]int64{calls.New - calls.Old, self.New - self.Old}; got != want {
			t.Errorf("%s: %v, want %v", fn.Name, got, want)
		}
	}
}

// If the probe cost of one side is unknown, it is subtracted on neither side, in the table and in
// the profile.
func TestDiffOfUnmeasured(t *testing.T) {
	const unknown = `meta {}
module {"path":"/bin/app"}
func {"name":"f","module":0,"addr":1,"entry_class":"nop5","return_class":"trampoline"}
thread {"pid":1,"tid":1}
0 0 entry 0 sp=0x7000
1000 0 return 0 sp=0x7000
end {}
`
	calibration := `calibration {"sites":[{"entry":"nop5","return":"trampoline","entry_ns":100,"inside_ns":100,"call_ns":150}]}` + "\n"
	dir := t.TempDir()
	before, after, pb := filepath.Join(dir, "old"), filepath.Join(dir, "new"), filepath.Join(dir, "pb.gz")
	writeText(t, before, strings.Replace(unknown, "thread", calibration+"thread", 1))
	writeText(t, after, unknown)
	stdout, stderr, status := utrace(t, "diff", "--json", "--pprof", pb, before, after)
	if status != 0 || !strings.Contains(stdout, `"raw": true`) || !strings.Contains(stderr, "not measured in "+after+":") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	data, err := os.ReadFile(pb)
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.ParseData(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Sample {
		if ns := s.Value[1]; ns != 1000 && ns != -1000 {
			t.Errorf("self time of %d ns", ns)
		}
	}
}
