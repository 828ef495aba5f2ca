//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// These tests use the built program as a user does, on real programs. They
// need root, BPF and a C compiler.

var utracePath string // set by TestMain, as no test can build it before the others

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "utrace-test")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		utracePath = filepath.Join(dir, "utrace")
		build := exec.Command("go", "build", "-o", utracePath, ".")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// utrace runs utrace and returns its outputs; any exit status is fine with it.
func utrace(t testing.TB, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(utracePath, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestUsage(t *testing.T) {
	const demo = "../../testdata/traces/demo.arrow"
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, 2, "no command given"},
		{[]string{"nonsense"}, 2, "nonsense"},
		{[]string{"record", "--nonsense"}, 2, "--nonsense"},
		{[]string{"record", "--max-overhead", "5", "true"}, 2, "not a part of the CPU time"},
		{[]string{"record", "-p", "-3"}, 2, "not a process ID"},
		{[]string{"record", "-p", "999999999"}, 1, "no process"},
		{[]string{"record", "--ring-size", "5000", "true"}, 2, "power of two"},
		{[]string{"record", "-e", "/(/", "true"}, 2, "regular expression"},
		{[]string{"record", "-e", "usdt:a:b(x:stx)", "true"}, 2, "not a type"},
		{[]string{"record", "--follow", "--no-follow", "true"}, 2, "exclude each other"},
		{[]string{"record", "--sched", "--slower-than", "1ms", "true"}, 2, "--sched: it excludes"},
		{[]string{"record", "--sched", "-e", "c:getpid -> s32 if ret > 0", "true"}, 2, "--sched: it excludes"},
		{[]string{"record", "--sched", "-e", "c:getpid if duration > 1ms", "true"}, 2, "--sched: it excludes"},
		{[]string{"record", "--follow", "-e", "/bin/true:f"}, 2, "-p PID or a COMMAND"},
		{[]string{"plan", "-e", "no_such_lib:f", "true"}, 1, "no library"},
		{[]string{"plan", "-e", "no_such_function", "/bin/true"}, 1, "no such function"},
		{[]string{"record", "--no-follow", "-e", "no_such_function", "/bin/true"}, 1, "no such function"},
		{[]string{"record", "/no/such/command"}, 1, "no such file"},
		{[]string{"plan", "-e", "c:strlen", "/bin/true"}, 1, "indirect function"},
		{[]string{"analyze"}, 2, "no trace given"},
		{[]string{"analyze", "/etc/passwd"}, 1, "not a utrace trace"},
		{[]string{"version"}, 0, ""},
		{[]string{"recrod"}, 2, `unknown command "recrod": did you mean "utrace record"?`},
		{[]string{"help", "recrod"}, 2, `did you mean "utrace record"?`},
		{[]string{"completion"}, 2, "for which shell?"},
		{[]string{"completion", "fishy"}, 2, `did you mean "utrace completion fish"?`},
		{[]string{"completion", "bash", "x"}, 2, `unknown command "x"`},
		{[]string{"analyze", "--slowest", "x", demo}, 2, `"x" for "--slowest" flag: want a whole number from 1 on`},
		{[]string{"analyze", "--slowest", "0", demo}, 2, "want a whole number from 1 on"},
		{[]string{"analyze", "--slowest", "10001", demo}, 2, "want at most 10000"},
		{[]string{"analyze", "--top", "99999999999999999999", demo}, 2, "want a whole number from 1 on"},
		{[]string{"analyze", "--from", "3parsec", demo}, 2, `"3parsec" for "--from" flag: want a time with its unit, such as 1.5s or 200ms`},
		{[]string{"analyze", "--min", "-1s", demo}, 2, "want a time with its unit"},
		{[]string{"analyze", "--to", "0s", demo}, 2, "nothing is in between"},
		{[]string{"analyze", "--from", "5s", "--to", "2s", demo}, 2, "nothing is in between"},
		{[]string{"analyze", "--pid", "0", demo}, 2, "not a process ID"},
		{[]string{"analyze", "--tid", "1,x", demo}, 2, `"x" is not a thread ID`},
		{[]string{"analyze", "--json=maybe", demo}, 2, "want --json, or --json=false"},
		{[]string{"analyze", "--pprof", "/no/such/dir/x", demo}, 1, "--pprof /no/such/dir/x: there is no directory /no/such/dir"},
		{[]string{"export", "--parquet", "x"}, 2, "no trace given"},
		{[]string{"diff", "--top", "0", demo, demo}, 2, "want a whole number from 1 on"},
		{[]string{"record", "-d", "5parsec", "true"}, 2, "want a time such as 30s"},
		{[]string{"record", "-d", "0", "true"}, 2, "want a time such as 30s"},
		{[]string{"record", "--slower-than", "5", "true"}, 2, "want a time with its unit"},
		{[]string{"record", "--max-size", "-1", "true"}, 2, "want a size"},
		{[]string{"record", "--preset", "pyton", "true"}, 2, `no preset is called "pyton"`},
		{[]string{"list", "/no/such/file"}, 1, `no file "/no/such/file"`},
		{[]string{"list", "-l", "./no-such-file"}, 1, `no file "./no-such-file"`},
		{[]string{"list", "/usr"}, 1, "/usr is a directory"},
		{[]string{"list", "no-such-program"}, 1, `there is no file "no-such-program"`},
		{[]string{"list", "a", "b", "c"}, 2, "want at most 2, a BINARY and a PATTERN"},
		{[]string{"list", "--presets", "x"}, 2, `what is "x"?`},
	} {
		stdout, stderr, status := utrace(t, c.args...)
		if status != c.status || !strings.Contains(stderr+stdout, c.want) {
			t.Errorf("utrace %q: status %d, want %d and %q\n%s", c.args, status, c.status, c.want, stderr)
		}
	}
}

// TestUsageMessage: what is said of wrong usage leads to the help of the command that it is about.
func TestUsageMessage(t *testing.T) {
	for command, args := range map[string][]string{
		"utrace analyze": {"analyze", "--flow=curly", "x"}, "utrace record": {"record", "--ring-size", "7"}, "utrace": {"unknown"},
	} {
		_, stderr, status := utrace(t, args...)
		if want := fmt.Sprintf("Try \"%s --help\".\n", command); status != 2 || !strings.HasSuffix(stderr, want) {
			t.Errorf("%q: status %d, no %q in\n%s", args, status, want, stderr)
		}
	}
	if help, _, _ := utrace(t, "analyze", "--help"); strings.Contains(help, `[="`) {
		t.Errorf("a flag is shown with its default in quotes:\n%s", help)
	}
}

// TestFlagHelp: each flag names its value, as the text behind it does, and its default once.
func TestFlagHelp(t *testing.T) {
	for _, cmd := range newRootCommand().Commands() {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden {
				return
			}
			value, usage := pflag.UnquoteUsage(f)
			if value != strings.ToUpper(value) || value != "" && !regexp.MustCompile(`\b`+value+`\b`).MatchString(usage) && f.Usage != usage {
				t.Errorf("%s --%s %s: %s", cmd.Name(), f.Name, value, usage)
			}
			if strings.Contains(usage, "(default") && f.Value.Type() != "bool" && strings.Trim(f.DefValue, "0[]") != "" {
				t.Errorf("%s --%s has the default %s, and: %s", cmd.Name(), f.Name, f.DefValue, usage)
			}
		})
	}
}
