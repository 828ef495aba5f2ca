//go:build linux

package usdt

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
	"testing"
	"time"

	"utrace/record/test/harness"
)

// These tests record static probes of programs that print what must be recorded.

// TestValues: arguments are as the program prints them, for 0 to 12 arguments in all places that an
// operand can name, and for a name with 32 sites.
func TestValues(t *testing.T) {
	harness.NeedSDT(t)
	for _, flags := range []string{"-O0", "-O1", "-O2", "-O3", "-O2 -static", "-O2 -fPIE -pie", "-O2 -no-pie", "-Os -m64"} {
		t.Run(flags, func(t *testing.T) {
			if flags != "-O0" && flags != "-O2" && flags != "-O2 -static" {
				harness.Long(t)
			}
			t.Parallel()
			program := harness.Target(t, "values.c", strings.Fields(flags)...)
			got, _, stdout := harness.RecordFlow(t, []string{"-e", "usdt:values:*(...)", "-e", "!usdt:values:in_memory"}, program, "4")
			harness.WantLines(t, got, harness.Lines(stdout))
		})
	}
	program := harness.Target(t, "values.c", "-O2")
	got, _, stdout := harness.RecordFlow(t, []string{"--attach=perf", "-e", "usdt:values:*(...)", "-e", "!usdt:values:in_memory"}, program, "2")
	harness.WantLines(t, got, harness.Lines(stdout))
	got, _, _ = harness.RecordFlow(t, []string{"-e", "usdt:values:in_memory(d:f64, f:f32)"}, program, "2")
	harness.WantLines(t, got, []string{"in_memory(-0.25, 1.5);", "in_memory(-0.25, 1.5);"})
	got, _, _ = harness.RecordFlow(t, []string{"-e", "usdt:values:two(u8, x8)", "-e", "usdt:values:seven(bool, c:char, x16, u16, x32, s32, ptr)"}, program, "1")
	harness.WantLines(t, got, []string{"two(255, 0xfa);", `seven(true, '\xfa', 0xfed4, 60000, 0xfffeee90, -294967296, 0x8000000000000000);`})
}

// TestDescribed: (...) records what each location has, and the texts of known providers as texts.
func TestDescribed(t *testing.T) {
	harness.NeedSDT(t)
	program := harness.Target(t, "described.c", "-O2")
	flags := []string{"-e", "usdt:described:*(...)"}
	for _, probe := range []string{"postgresql:*", "php:*", "hotspot:class__loaded"} {
		flags = append(flags, "-e", "usdt:"+probe+"(...)")
	}
	got, _, stdout := harness.RecordFlow(t, flags, program)
	harness.WantLines(t, got, harness.Lines(stdout))

	_, stderr, status := harness.Utrace(t, "plan", "-e", "usdt:described:vary(a:s32, b:s32, c:s32, d:s32, e:s32, f:s32)", "--", program)
	if status != 1 || !strings.Contains(stderr, "argument 6 (f) cannot be read: there are ") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	_, stderr, status = harness.Utrace(t, "plan", "-e", "usdt:described:vary(a:s32, b:s32) => described:text on b", "--", program)
	if status != 1 || !strings.Contains(stderr, "argument 2 (b), which tells spans apart, cannot be read: there are 1 arguments") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	_, stderr, status = harness.Utrace(t, "plan", "-e", "usdt:described:varied", "--", program)
	if status != 1 || !strings.Contains(stderr, "no such static probe among the 8 of 1 file") {
		t.Errorf("status %d\n%s", status, stderr)
	}
}

// TestMisplaced: notes may lead to a place where a breakpoint would change what the program does,
// here a number that it prints.
func TestMisplaced(t *testing.T) {
	program := harness.Target(t, "misplaced.c", "-O2")
	untraced, err := exec.Command(program).Output()
	if err != nil {
		t.Fatal(err)
	}
	got, _, stdout := harness.RecordFlow(t, []string{"-e", "usdt:misplaced:*"}, program)
	if stdout != string(untraced) {
		t.Errorf("traced, it prints %q; else %q", stdout, untraced)
	}
	words := strings.Fields(stdout)
	passes, err := strconv.Atoi(words[len(words)-1])
	if err != nil {
		t.Fatal(err)
	}
	harness.WantLines(t, got, slices.Repeat([]string{"right();"}, passes))
	plan, _, _ := harness.Utrace(t, "plan", "-e", "usdt:misplaced:*", "--", program)
	for name, reason := range map[string]string{"misplaced:start": "does not point at a nop", "misplaced:inside": "middle of an instruction"} {
		if !regexp.MustCompile(name + ".*" + reason).MatchString(plan) {
			t.Errorf("%s is not left out because it %q:\n%s", name, reason, plan)
		}
	}
}

// TestTexts: texts are recorded as far as they can be read, and escaped where they are shown.
func TestTexts(t *testing.T) {
	harness.NeedSDT(t)
	program := harness.Target(t, "texts.c", "-O2")
	got, trace, _ := harness.RecordFlow(t, []string{
		"-e", "usdt:texts:lengthy(s:str, n:s32)", "-e", "usdt:texts:plain(s:str)", "-e", "usdt:texts:nasty(s:str[4000])", "-e", "usdt:texts:null(s:str)",
		"-e", "usdt:texts:wild(str)", "-e", "usdt:texts:counted(s:buf[n], n:u16)", "-e", "usdt:texts:negative(s:buf[arg2])", "-e", "usdt:texts:fits(s:str)", "-e", "usdt:texts:overruns(s:str)",
		"-e", "usdt:texts:vector(...)",
	}, program)
	letters := ""
	for i := range 200 {
		letters += string(rune('a' + i%26))
	}
	harness.WantLines(t, got, []string{
		`lengthy("` + letters + `"..., 12);`, `plain("café");`, `nasty("\xff\x1b[31mred\n\"q\"\\");`, "null(NULL);", "wild(?);",
		`counted("ab\x00cd", 5);`, "negative(?);", `fits("end");`, "overruns(?);", "vector(?, 7);",
	})
	for _, view := range [][]string{{"--json"}, {"--tree"}, {"--pprof", filepath.Join(t.TempDir(), "p.pb.gz")}} {
		if stdout, stderr, status := harness.Utrace(t, append(append([]string{"analyze"}, view...), trace)...); status != 0 || strings.Contains(stdout, "\x1b") {
			t.Errorf("%v: status %d\n%s%s", view, status, stdout, stderr)
		}
	}
	_, stderr, status := harness.Utrace(t, "record", "-o", trace, "-e", "usdt:texts:vector(f64, s32)", "--", program)
	if status == 0 || !strings.Contains(stderr, "vector or floating-point register") {
		t.Errorf("a vector register asked for: status %d\n%s", status, stderr)
	}
}

// TestConditions: the trace has exactly the executions that meet the condition.
func TestConditions(t *testing.T) {
	harness.NeedSDT(t)
	program := harness.Target(t, "values.c", "-O2")
	all, _, _ := harness.RecordFlow(t, []string{"-e", "usdt:values:many(n:s32, v:s32, e:s32)"}, program, "8")
	type values struct{ n, v, e int64 }
	var list []values
	for _, line := range all {
		var v values
		if _, err := fmt.Sscanf(line, "many(%d, %d, %d);", &v.n, &v.v, &v.e); err != nil {
			t.Fatal(line, err)
		}
		list = append(list, v)
	}
	if len(list) != 8*32 {
		t.Fatalf("%d passes, not %d", len(list), 8*32)
	}
	for text, want := range map[string]func(v values) bool{
		"n == 3":                           func(v values) bool { return v.n == 3 },
		"n != 3":                           func(v values) bool { return v.n != 3 },
		"e < -7":                           func(v values) bool { return v.e < -7 },
		"e >= 2 && n < 20":                 func(v values) bool { return v.e >= 2 && v.n < 20 },
		"e <= -5 || n > 30":                func(v values) bool { return v.e <= -5 || v.n > 30 },
		"!(n == 1 || n == 2) && !(v > 40)": func(v values) bool { return !(v.n == 1 || v.n == 2) && !(v.v > 40) },
		"n && e":                           func(v values) bool { return v.n != 0 && v.e != 0 },
		"arg3 == -1 || arg1 == 0x1f":       func(v values) bool { return v.e == -1 || v.n == 31 },
		`comm == "values" && n == 5`:       func(v values) bool { return v.n == 5 },
		`comm =~ "val*" && n == 5`:         func(v values) bool { return v.n == 5 },
		`comm == "value" || n == 6`:        func(v values) bool { return v.n == 6 },
		"pid == 1 || n == 7":               func(v values) bool { return v.n == 7 },
		"n==0||n==2||n==4||n==6||n==8||n==10||n==12||n==14||n==16||n==18||n==20||n==22||n==24||n==26||n==28||n==30": func(v values) bool { return v.n%2 == 0 },
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			got, _, _ := harness.RecordFlow(t, []string{"-e", "usdt:values:many(n:s32, v:s32, e:s32) if " + text}, program, "8")
			var expected []string
			for i, v := range list {
				if want(v) {
					expected = append(expected, all[i])
				}
			}
			harness.WantLines(t, got, expected)
		})
	}
	texts := harness.Target(t, "texts.c", "-O2")
	for text, want := range map[string]bool{
		`s == "café"`: true, `s == "caf"`: false, `s != "café"`: false, `s =~ "c*é"`: true, `s =~ "*af*"`: true, `s =~ "c?f??"`: true, `s =~ "c?f?"`: false,
		`s =~ "*"`: true, `s =~ ""`: false, `s =~ "**caf**"`: true, `s =~ "*x*"`: false, `arg1 == "café"`: true, `s =~ "caf?*?"`: true, `s =~ "*é*é"`: false,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			got, _, _ := harness.RecordFlow(t, []string{"-e", "usdt:texts:plain(s:str) if " + text}, texts)
			if (len(got) == 1) != want {
				t.Errorf("kept %v, want %v", got, want)
			}
		})
	}
}

// TestLongGlob: a glob matches only at the end of a text, after each * was tried at each byte.
func TestLongGlob(t *testing.T) {
	harness.NeedSDT(t)
	texts := harness.Target(t, "texts.c", "-O2")
	any := strings.Repeat("?", 60)
	for pattern, want := range map[string]int{"*" + any + "r": 1, "*" + any + "q": 0, "*a" + any[:29] + "*" + any[:29] + "r": 1} {
		got, _, _ := harness.RecordFlow(t, []string{"-e", "usdt:texts:lengthy(s:str[199]) if s =~ \"" + pattern + "\""}, texts)
		if len(got) != want {
			t.Errorf("%s: kept %v, want %d", pattern, got, want)
		}
	}
}

// TestSpans records spans that nest, that overlap, and that an error leaves without an end.
func TestSpans(t *testing.T) {
	harness.NeedSDT(t)
	program := harness.Target(t, "spans.c", "-O2")
	calls, trace, _ := harness.RecordFlow(t, []string{"-e", "usdt:spans:*__start(n:s32, how:str)", "-e", "usdt:spans:*__begin", "-e", "usdt:spans:query__done(n:s32, result:s32)"}, program, "6")
	want := []string{}
	for n := range 6 {
		how, ending := "good", fmt.Sprintf("} = (%d, %d) /* query */", n, 100+n)
		second := "  step();"
		if n%3 == 2 {
			how, ending, second = "bad", "} /* query: unwound */", ""
		}
		want = append(want, fmt.Sprintf(`query(%d, %q) {`, n, how), "  step();")
		if second != "" {
			want = append(want, second)
		} else {
			want = append(want, "  step() {", "  } /* step: unwound */")
		}
		if n == 5 { // the last error is followed by nothing that shows that it is over
			want[len(want)-1], ending = "  } /* step: open at the end */", "} /* query: open at the end */"
		}
		want = append(want, ending)
	}
	harness.WantLines(t, calls, want)
	r := harness.Analyze(t, trace)
	if c, i := r.Calls(), r.Incomplete(); c["query"] != 6 || i["query"] != 2 || c["step"] != 12 || i["step"] != 2 {
		t.Errorf("calls %v, incomplete %v", c, i)
	}

	want = nil
	for n := range 6 {
		want = append(want, fmt.Sprintf("request__accepted(7, %d);", 1000+n))
	}
	for _, key := range []string{"id", "arg2"} { // the ends record neither
		calls, trace, _ = harness.RecordFlow(t, []string{"-e", "usdt:spans:request__accepted(server:s32, id:u64) => spans:request__finished on " + key}, program, "6")
		harness.WantLines(t, calls, want)
		if r := harness.Analyze(t, trace); r.Calls()["request__accepted"] != 6 || len(r.Incomplete()) != 0 || r.Functions[0].P50Ns < 5e6 {
			t.Errorf("on %s: %+v", key, r)
		}
	}

	// Spans of two probes in one call of a function, at the same depth.
	calls, _, _ = harness.RecordFlow(t, []string{"-e", "usdt:spans:outer__*(...)", "-e", "usdt:spans:inner__enter(n:s32)"}, program, "4")
	harness.WantLines(t, calls, []string{
		"outer(0) {", "  inner(0);", "} = 0 /* outer */",
		"outer(1) {", "  inner(1) {", "  } /* inner: unwound */", "} = 1 /* outer */",
		"outer(2) {", "  inner(2);", "} /* outer: unwound */",
		"outer(3) {", "  inner(3);", "} = 3 /* outer */",
	})

	// Dropped calls may nest deeply: 0, 100, 200, … of them.
	calls, _, _ = harness.RecordFlow(t, []string{"-e", "usdt:spans:nest__entry(n:s32) if n == 0 || n == 100 || n == 800"}, program, "10")
	want = []string{"nest(0);"}
	for n := 1; n < 10; n++ {
		if n >= 8 {
			want = append(want, "nest(800) {", "  nest(100) {", "    nest(0);", "  } /* nest */", "} /* nest */")
		} else {
			want = append(want, "nest(100) {", "  nest(0);", "} /* nest */")
		}
	}
	harness.WantLines(t, calls, want)

	// A condition on the beginning also decides about the end.
	calls, _, _ = harness.RecordFlow(t, []string{"-e", `usdt:spans:query__start(n:s32, how:str) if how == "good" && n > 0`}, program, "6")
	harness.WantLines(t, calls, []string{`query(1, "good");`, `query(3, "good");`, `query(4, "good");`})
	calls, trace, _ = harness.RecordFlow(t, []string{"-e", "usdt:spans:request__accepted(server:s32, id:u64) if id == 1000 || id == 1002 || id == 1003 => spans:request__finished on id"}, program, "6")
	harness.WantLines(t, calls, []string{"request__accepted(7, 1000);", "request__accepted(7, 1002);", "request__accepted(7, 1003);"})
	if r := harness.Analyze(t, trace); r.Trace.Events != 6 || len(r.Incomplete()) != 0 {
		t.Errorf("%+v", r)
	}
	const rounds = 6300 // an error ends a third of them in a span that is dropped
	calls, _, _ = harness.RecordFlow(t, []string{"--max-overhead=none", "-e", "usdt:spans:step__begin(fail:s32) if fail == 0"}, program, fmt.Sprint(rounds), "nested")
	harness.WantLines(t, calls, slices.Repeat([]string{"step(0);"}, rounds+2*rounds/3))

	calls, _, _ = harness.RecordFlow(t, []string{"-e", "usdt:spans:query__start(n:s32) => none"}, program, "3")
	harness.WantLines(t, calls, []string{"query__start(0);", "query__start(1);", "query__start(2);"})
}

// TestProbesLater: a program creates probes while it runs, in an object that it loads and unlinks.
func TestProbesLater(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "provider.c", "-O2")
	for _, how := range []string{"before", "command", "pid", "machine"} {
		t.Run(how, func(t *testing.T) {
			if how != "machine" { // which sees the others
				t.Parallel()
			}
			trace := filepath.Join(t.TempDir(), "trace.arrow")
			probes := []string{"-e", "usdt:simplehttp:file_transfer(ip:str, path:str, size:u32)", "-e", "usdt:simplehttp:args_6(...)"}
			rounds, interval := 40, 50
			command := exec.Command(program, "-l", strconv.Itoa(rounds), strconv.Itoa(interval), "1000")
			if how != "before" {
				probes = append(probes, "--wait")
			} else {
				command = exec.Command(program, strconv.Itoa(rounds), strconv.Itoa(interval), "1000")
			}
			if how == "command" {
				stdout, stderr, _ := harness.Utrace(t, append(append([]string{"record", "-o", trace}, probes...), append([]string{"--"}, command.Args...)...)...)
				checkProvider(t, trace, stdout, stderr)
				return
			}
			output := filepath.Join(t.TempDir(), "out")
			file, err := os.Create(output)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			command.Stdout = file
			args := append([]string{"record", "-o", trace}, probes...)
			if how == "machine" {
				args = append(args, "-d", "6s")
				time.AfterFunc(time.Second, func() { command.Start() })
			} else {
				if err := command.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(300 * time.Millisecond) // the provider is there, or not yet
				args = append(args, "-p", strconv.Itoa(command.Process.Pid))
			}
			done := make(chan string)
			go func() {
				_, stderr, _ := harness.Utrace(t, args...)
				done <- stderr
			}()
			stderr := <-done
			command.Wait()
			text, _ := os.ReadFile(output)
			checkProvider(t, trace, string(text), stderr)
		})
	}
}

// checkProvider compares a trace with what the provider has printed: the trace must have all of the
// last rounds.
func checkProvider(t *testing.T, trace, stdout, stderr string) {
	t.Helper()
	var want []string
	for lines := bufio.NewScanner(strings.NewReader(stdout)); lines.Scan(); {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) == 4 && words[0] == "file_transfer":
			want = append(want, fmt.Sprintf("file_transfer(%q, %q, %s);", strings.Trim(words[1], `"`), strings.Trim(words[2], `"`), words[3]))
		case len(words) == 7 && words[0] == "args_6":
			want = append(want, "args_6("+strings.Join(words[1:], ", ")+");")
		}
	}
	got := harness.FlowLines(t, trace)
	if len(got) < 20 || len(got) > len(want) {
		t.Fatalf("%d of %d passes recorded\n%s", len(got), len(want), stderr)
	}
	harness.WantLines(t, got, want[len(want)-len(got):])
}

// TestCopyfile: each download calls shutil.copyfile once, among thousands of other calls.
func TestCopyfile(t *testing.T) {
	harness.NeedPython(t)
	dir := t.TempDir()
	script := filepath.Join(dir, "download.py")
	if err := os.WriteFile(script, []byte(`
import json, os, shutil, sys
for i in range(7):
    with open("source", "w") as f:
        json.dump([list(range(i))] * 10, f)
    shutil.copyfile("source", "copy%d" % i)
`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	got, trace, _ := harness.RecordFlow(t, []string{"-e", `usdt:python:function__entry(file:str, func:str, line:s32) if func == "copyfile"`}, harness.Python, script)
	if len(got) != 7 {
		t.Fatalf("%d lines, want 7: %s", len(got), strings.Join(got, "\n"))
	}
	for _, line := range got {
		if !strings.HasPrefix(line, `python:function__entry("/usr/lib/python3.11/shutil.py", "copyfile", `) {
			t.Error(line)
		}
	}
	if r := harness.Analyze(t, trace); r.Calls()["python:function__entry"] != 7 || len(r.Incomplete()) != 0 || r.Trace.Events != 14 {
		t.Errorf("%+v", r)
	}
}
