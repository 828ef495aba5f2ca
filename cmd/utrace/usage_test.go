//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/pflag"
)

// inProcess runs utrace in this process. It cannot record: the recorder starts its own program
// file.
func inProcess(t testing.TB, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(context.Background(), args, strings.NewReader(""), &out, &errs)
	return out.String(), errs.String(), status
}

// TestUnreadable: a trace that ends before its first event is an error in every command.
func TestUnreadable(t *testing.T) {
	const demo = "../../testdata/traces/demo.arrow"
	whole, err := os.ReadFile(demo)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cut := filepath.Join(dir, "cut.arrow")
	if err := os.WriteFile(cut, whole[:2000], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"analyze", cut}, {"analyze", "--json", cut}, {"analyze", "--flow", cut}, {"analyze", "--pprof", filepath.Join(dir, "out.pb.gz"), cut},
		{"analyze", demo, cut}, {"export", "--parquet", filepath.Join(dir, "out.parquet"), cut}, {"diff", demo, cut},
	} {
		stdout, stderr, status := inProcess(t, args...)
		if status != 1 || !strings.Contains(stderr, cut+": nothing of this trace can be read: it ends in the middle") {
			t.Errorf("%q: status %d\n%s%s", args, status, stdout, stderr)
		}
	}
}

func TestUsage(t *testing.T) {
	const demo = "../../testdata/traces/demo.arrow"
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, 2, "no command given"},
		{[]string{"nonsense"}, 2, "nonsense"},
		{[]string{"record", "--nonsense"}, 2, "--nonsense"},
		{[]string{"record", "-o", "", "true"}, 2, "-o: the name of the trace is empty"},
		{[]string{"record", "--max-overhead", "5", "true"}, 2, "not a part of the CPU time"},
		{[]string{"record", "-p", "-3"}, 2, "not a process ID"},
		{[]string{"record", "--label", "version", "true"}, 2, "want KEY=VALUE, such as version=1.4.2"},
		{[]string{"record", "--label", "a=1", "--label", "a=2", "true"}, 2, "label a is given twice"},
		{[]string{"record", "--label", "9=1", "true"}, 2, "a key begins with a letter"},
		{[]string{"record", "-p", "999999999"}, 1, "no process"},
		{[]string{"record", "--ring-size", "5000", "true"}, 2, "power of two"},
		{[]string{"record", "-e", "/(/", "true"}, 2, "regular expression"},
		{[]string{"record", "-e", "usdt:a:b(x:stx)", "true"}, 2, "not a type"},
		{[]string{"record", "--follow", "--no-follow", "true"}, 2, "exclude each other"},
		{[]string{"record", "--sched", "--slower-than", "1ms", "true"}, 2, "leave out --slower-than"},
		{[]string{"record", "--sched", "-e", "c:getpid -> s32 if ret > 0", "true"}, 2, "leave out --slower-than"},
		{[]string{"record", "--sched", "-e", "c:getpid if duration > 1ms", "true"}, 2, "leave out --slower-than"},
		{[]string{"record", "--follow", "-e", "/bin/true:f"}, 2, "-p PID or a COMMAND"},
		{[]string{"plan", "-e", "no_such_lib:f", "true"}, 1, "no library"},
		{[]string{"plan", "-e", "no_such_function", "/bin/true"}, 1, "no such function"},
		{[]string{"record", "--no-follow", "-e", "no_such_function", "/bin/true"}, 1, "no such function"},
		{[]string{"record", "/no/such/command"}, 1, "no such file"},
		{[]string{"plan", "-e", "c:strlen", "/bin/true"}, 1, "indirect function"},
		{[]string{"analyze"}, 2, "no trace given"},
		{[]string{"analyze", "/etc/passwd"}, 1, "not a utrace trace"},
		{[]string{"analyze", fifo}, 1, "not a regular file"},
		{[]string{"plan", "-e", "main", fifo}, 1, "not a regular file"},
		{[]string{"record", "-e", "main", fifo}, 1, "not a regular file"},
		{[]string{"plan", "-e", fifo + ":main"}, 1, "not a regular file"},
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
		{[]string{"top", "--sort", "size"}, 2, "want total, calls"},
		{[]string{"top", "--slower-than", "1ms"}, 2, "percentiles of all calls"},
		{[]string{"top", "--interval", "0s"}, 2, "want a time"},
		{[]string{"record", "--last", "3s", "true"}, 2, "--last needs --until"},
		{[]string{"record", "--until", "f > 30s", "true"}, 2, "use --last 1m0s"},
		{[]string{"record", "--until", "f >", "true"}, 2, "want FUNC > TIME"},
		{[]string{"record", "--until", "signal:KILL", "true"}, 2, "want signal:USR1"},
		{[]string{"record", "--until", "f", "--max-size", "1GiB", "true"}, 2, "--memory limits"},
		{[]string{"record", "--until", "f", "--memory", "1KiB", "true"}, 2, "at least 16 MiB"},
		{[]string{"record", "--preset", "pyton", "true"}, 2, `no preset is called "pyton"`},
		{[]string{"list", "/no/such/file"}, 1, `no file "/no/such/file"`},
		{[]string{"list", "-l", "./no-such-file"}, 1, `no file "./no-such-file"`},
		{[]string{"list", "/usr"}, 1, "/usr is a directory"},
		{[]string{"list", "no-such-program"}, 1, `there is no file "no-such-program"`},
		{[]string{"list", "a", "b", "c"}, 2, "want at most 2, a BINARY and a PATTERN"},
		{[]string{"list", "--presets", "x"}, 2, `takes no arguments: "x"`},
	} {
		stdout, stderr, status := inProcess(t, c.args...)
		if status != c.status || !strings.Contains(stderr+stdout, c.want) {
			t.Errorf("utrace %q: status %d, want %d and %q\n%s", c.args, status, c.status, c.want, stderr)
		}
	}
}

// TestUsageMessage: a message about wrong usage leads to the help of its command.
func TestUsageMessage(t *testing.T) {
	for command, args := range map[string][]string{
		"utrace analyze": {"analyze", "--flow=curly", "x"}, "utrace record": {"record", "--ring-size", "7"}, "utrace": {"unknown"},
	} {
		_, stderr, status := inProcess(t, args...)
		if want := fmt.Sprintf("Try \"%s --help\".\n", command); status != 2 || !strings.HasSuffix(stderr, want) {
			t.Errorf("%q: status %d, no %q in\n%s", args, status, want, stderr)
		}
	}
	if help, _, _ := inProcess(t, "analyze", "--help"); strings.Contains(help, `[="`) {
		t.Errorf("a flag is shown with its default in quotes:\n%s", help)
	}
}

// TestFlagHelp: each flag and its description name the value alike, and the default is given once.
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

func TestAnalyzeUsage(t *testing.T) {
	trace := traceFile(t, "nesting")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(trace, link); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{}, {"--sort", "size", trace}, {"--flow=curly", trace}, {"--function", "/(/", trace}, {"--top", "-1", trace},
		{"--from", "2s", "--to", "1s", trace}, {"--view", trace}, {"--pid", "x", trace},
		{trace, trace}, {trace, link}, {"--slowest", "-1", trace}, {"--slowest", "10001", trace},
		{"--error", "ret <", trace}, {"--error", "[: ret < 0", trace},
		{"--min", "-1s", trace}, {"--hist=/(/", trace}, {"--heatmap", "/(/", trace}, {"--heatmap-svg", "x.svg", trace},
		{"--folded", trace, trace}, {"--flame", trace, trace}, {"--trace-event", trace, trace},
		{"--heatmap", "*", "--heatmap-svg", trace, trace}, {"--folded", "x", "--flame", "x", trace},
		{"--folded", os.DevNull, "--flame", filepath.Dir(os.DevNull) + "/./null", trace},
	} {
		wantStatus(t, 2, append([]string{"analyze"}, args...))
	}
	for _, args := range [][]string{
		{"/does/not/exist"}, {os.Args[0]}, {"--pprof", "/does/not/exist/p", trace}, {"--hist", "nothing", trace}, {"--heatmap", "nothing", trace},
	} {
		wantStatus(t, 1, append([]string{"analyze"}, args...))
	}
}

func TestExportUsage(t *testing.T) {
	trace := traceFile(t, "nesting")
	for _, args := range [][]string{{}, {trace}, {"--parquet", "x"}, {"--parquet", trace, trace}, {"--parquet", "-", trace, trace},
		{"--partition", "host", trace}, {"--partition", "host,version", "--parquet", "x", trace}, {"--partition", "host", "--parquet", "-", trace},
		{"--pyroscope", "localhost:4040", trace}, {"--otlp", "-", "--parquet", "-", trace}, {"--otlp", "x", "--slowest", "100001", trace}, {"--otlp", trace, trace},
	} {
		wantStatus(t, 2, append([]string{"export"}, args...))
	}
}

func wantStatus(t *testing.T, want int, args []string) {
	t.Helper()
	if _, stderr, status := inProcess(t, args...); status != want || !strings.HasPrefix(stderr, "utrace: ") {
		t.Errorf("utrace %q: status %d, want %d\n%s", args, status, want, stderr)
	}
}

// TestVersion: all spellings print the same version.
func TestVersion(t *testing.T) {
	want := "utrace " + version() + "\n"
	for _, arg := range []string{"version", "--version", "-V"} {
		if stdout, stderr, status := inProcess(t, arg); status != 0 || stdout != want || stderr != "" {
			t.Errorf("utrace %s: status %d, %q, want %q\n%s", arg, status, stdout, want, stderr)
		}
	}
}

// TestHabits: the commands of other tools lead to those of utrace, whatever their arguments.
func TestHabits(t *testing.T) {
	for command, want := range map[string]string{
		"report": "utrace analyze TRACE", "stat": "utrace analyze TRACE", "replay": "utrace analyze --flow TRACE",
		"graph": "utrace analyze --tree TRACE", "dump": "utrace analyze --trace-event FILE TRACE",
		"script": "utrace analyze --flow TRACE", "info": "utrace analyze TRACE",
	} {
		for _, args := range [][]string{{command}, {command, "-F", "main", "-d", "uftrace.data"}, {command, "--help"}} {
			stdout, stderr, status := inProcess(t, args...)
			if status != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) {
				t.Errorf("utrace %q: status %d, want 2 and one line with %q\n%s%s", args, status, want, stdout, stderr)
			}
		}
	}
}
