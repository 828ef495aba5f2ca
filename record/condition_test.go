package record

import (
	"fmt"
	"strings"
	"testing"

	"utrace/bpf"
)

// checkValues holds what a probe records against the limits of the programs in the kernel: comparisons only lead on, and
// name arguments that there are.
func checkValues(t *testing.T, p *Probe) {
	t.Helper()
	args := p.values.args
	if len(args) > bpf.MaxArgs {
		t.Fatalf("%q: %d arguments", p.Text, len(args))
	}
	cond, err := bindCondition(p.values.cond, (*arguments)(&args), callEnd{duration: true})
	if err != nil {
		t.Fatalf("%q: %v", p.Text, err)
	}
	conds := compile(cond)
	if (len(conds) == 0) != (p.values.cond == nil) {
		t.Fatalf("%q: %d comparisons", p.Text, len(conds))
	}
	checkConds(t, p.Text, conds, len(args), 0)
	for _, a := range args {
		if a.pos < 0 || a.pos >= bpf.MaxArgs || a.typ.max > bpf.MaxText {
			t.Fatalf("%q: %+v", p.Text, a)
		}
	}
}

// checkConds holds comparisons against the limits of the programs in the kernel: they only lead on, and name values that there are.
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
		there := args
		if c.Late {
			there = results
		}
		if c.Arg < bpf.CondPID && int(c.Arg) >= there {
			t.Fatalf("%q: comparison %d is of value %d of %d", text, i, c.Arg, there)
		}
	}
}

func TestStaticProbeErrors(t *testing.T) {
	for text, want := range map[string]string{
		"usdt:":                          "names no probe",
		"usdt:a:":                        "names no probe",
		"usdt:a:b:c:d":                   "too many colons",
		"usdt:/x":                        "no probe after the file",
		"usdt:a:/b":                      "no end",
		"usdt:a:b(x:u32":                 "not closed",
		"usdt:a:b(x:u33)":                "did you mean",
		"usdt:a:b(x:str[9999])":          "1 to 4094",
		"usdt:a:b(x:buf)":                "buf[len]",
		"usdt:a:b(x:buf[n])":             `no argument is called "n"`,
		"usdt:a:b(x:u8, x:u8)":           "two arguments",
		"usdt:a:b(9:u8)":                 "not a name",
		"usdt:a:b if":                    "name of an argument",
		"usdt:a:b if x":                  `no argument is called "x"`,
		"usdt:a:b(size:u8) if sise == 1": "did you mean size?",
		"usdt:a:b(s:str) if s == 1":      "is a text",
		`usdt:a:b(n:u8) if n == "x"`:     "declare it as str",
		"usdt:a:b(d:f64) if d == 1":      "floating-point",
		`usdt:a:b(s:str) if s < "x"`:     "==, != or =~",
		"usdt:a:b if arg1 == ":           "a number or",
		"usdt:a:b if (arg1 == 1":         ") is missing",
		"usdt:a:b if arg1 == 1 arg2":     "not expected",
		"usdt:a:b if arg99 == 1":         "arg1 to arg12",
		"usdt:a:b if " + strings.Repeat("!", 200) + "arg1":                 "too deeply",
		"usdt:a:b if " + strings.Repeat("arg1 == 1 || ", 16) + "arg1 == 2": "16 are the most",
		"usdt:a:b => ":              "ends the span",
		"usdt:a:b => a:b:c":         "PROVIDER:NAME",
		"usdt:a:b => c on x":        `no argument is called "x"`,
		"usdt:a:b(s:str) => c on s": "not by a text",
		"usdt:a:b -> s32":           "no return value",
		"usdt:a:b sometimes":        "not expected",
		"!usdt:a:b(x:u8)":           "only names probes",
	} {
		if _, err := ParseProbe(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v; want %q", text, err, want)
		}
	}
}

// TestCompile decides by the comparisons what the condition says of all combinations of three truths.
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
		p, err := ParseProbe("usdt:x:y(a:u8, b:s32, c:u64) if " + text)
		if want == nil {
			if err == nil {
				t.Errorf("%s: no error", text)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		checkValues(t, p)
		cond, _ := bindCondition(p.values.cond, (*arguments)(&p.values.args), callEnd{duration: true})
		conds := compile(cond)
		for n := range 8 {
			v := [3]uint64{uint64(n & 1), uint64(n >> 1 & 1), uint64(n >> 2)}
			if got := decide(conds, v[:]); got != want(v[0] == 1, v[1] == 1, v[2] == 1) {
				t.Errorf("%s of %v: %v", text, v, got)
			}
		}
		if decide(conds, nil) {
			t.Errorf("%s holds of what cannot be read", text)
		}
	}
}

// decide does what wanted of bpf/match.h does with numbers, nil if they cannot be read.
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
