package values

import (
	"fmt"
	"slices"
	"testing"

	"utrace/bpf"
	"utrace/record/internal/probe"
)

// checkConds checks comparisons against the limits of the BPF side. They must lead only forward,
// and name only values that exist.
func checkConds(t *testing.T, text string, conds []bpf.Cond, args, results int) {
	t.Helper()
	if len(conds) > bpf.MaxConds || args > bpf.MaxArgs || results > bpf.MaxArgs {
		t.Fatalf("%q: %d comparisons, %d arguments, %d results", text, len(conds), args, results)
	}
	for i, c := range conds {
		for _, next := range []uint8{c.Yes, c.No} {
			if next < bpf.CondKeep && (int(next) <= i || int(next) >= len(conds)) {
				t.Fatalf("%q: comparison %d of %d leads to %d", text, i, len(conds), next)
			}
		}
		values := args
		if c.Late {
			values = results
		}
		if c.Arg < bpf.CondPID && int(c.Arg) >= values {
			t.Fatalf("%q: comparison %d is of value %d of %d", text, i, c.Arg, values)
		}
	}
}

// TestLimits checks that the probe language and the BPF side have the same limits.
func TestLimits(t *testing.T) {
	language := []int{probe.MaxArgs, probe.MaxText, probe.MaxPattern, probe.MaxComparisons}
	if side := []int{bpf.MaxArgs, bpf.MaxText, bpf.MaxPattern, bpf.MaxConds}; !slices.Equal(language, side) {
		t.Errorf("the probe language has %d, package bpf %d", language, side)
	}
}

// compileUSDT compiles the condition of a static probe, and checks the comparisons.
func compileUSDT(t *testing.T, p *probe.Probe) []bpf.Cond {
	t.Helper()
	args := probe.Arguments(slices.Clone(p.Values.Args))
	cond, err := probe.Bind(p.Values.Condition, &args, probe.End{Duration: true})
	if err != nil {
		t.Fatalf("%q: %v", p.Text, err)
	}
	conds := Compile(cond)
	checkConds(t, p.Text, conds, len(args), 0)
	return conds
}

// FuzzCompile compiles the conditions of static probes.
func FuzzCompile(f *testing.F) {
	for _, text := range []string{"a", `s =~ "x*" && !(b == -1 || arg3 < 'c') || pid != 0x10`, `comm == "=>"`, "duration > 1ms && tid == 3", "!(a || b) && !c"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := probe.Parse("usdt:x:y(a:u8, b:s32, c:u64, s:str) if " + text)
		if err != nil || p.USDT == nil {
			return
		}
		if conds := compileUSDT(t, p); (len(conds) == 0) != (p.Values.Condition == nil) {
			t.Fatalf("%q: %d comparisons", text, len(conds))
		}
	})
}

// TestCompile checks that comparisons decide as their condition does, for all combinations of three
// values, and that none holds for values that cannot be read.
func TestCompile(t *testing.T) {
	for text, want := range map[string]func(a, b, c bool) bool{
		"a":                     func(a, b, c bool) bool { return a },
		"!a":                    func(a, b, c bool) bool { return !a },
		"a && b || c":           func(a, b, c bool) bool { return a && b || c },
		"a || b && c":           func(a, b, c bool) bool { return a || b && c },
		"!(a || b) && !c":       func(a, b, c bool) bool { return !(a || b) && !c },
		"(a || b) && (b || c)":  func(a, b, c bool) bool { return (a || b) && (b || c) },
		"a == 1 && !(b == 0)":   func(a, b, c bool) bool { return a && b },
		"a > 0 || b >= 1":       func(a, b, c bool) bool { return a || b },
		"a < 1 && b <= 0 && !c": func(a, b, c bool) bool { return !a && !b && !c },
		"a != b0":               nil,
	} {
		p, err := probe.Parse("usdt:x:y(a:u8, b:s32, c:u64) if " + text)
		if want == nil {
			if err == nil {
				t.Errorf("%s: no error", text)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		conds := compileUSDT(t, p)
		for n := range 8 {
			v := [3]uint64{uint64(n & 1), uint64(n >> 1 & 1), uint64(n >> 2)}
			if got := decide(conds, v[:]); got != want(v[0] == 1, v[1] == 1, v[2] == 1) {
				t.Errorf("%s of %v: %v", text, v, got)
			}
		}
		if decide(conds, nil) {
			t.Errorf("%s holds for values that cannot be read", text)
		}
	}
}

// decide decides comparisons of numbers as bpf/condition.h does. values is nil if they cannot be
// read.
func decide(conds []bpf.Cond, values []uint64) bool {
	at := uint8(0)
	for at < bpf.CondKeep {
		c := conds[at]
		holds := false
		if values != nil {
			switch v := values[c.Arg]; c.Op {
			case bpf.CondEqual:
				holds = v == c.Value
			case bpf.CondLess:
				holds = v < c.Value
			case bpf.CondLessOrEqual:
				holds = v <= c.Value
			default:
				panic(fmt.Sprint(c.Op))
			}
			holds = holds != c.Negate
		}
		at = c.No
		if holds {
			at = c.Yes
		}
	}
	return at == bpf.CondKeep
}
