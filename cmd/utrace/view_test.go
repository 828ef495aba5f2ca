//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"utrace/format"
)

// hostileTrace has a function whose name sets the title of a terminal that obeys it.
const hostileTrace = `meta {"recorder":"test","host":"h","kernel":"k","args":["utrace"],"cpus":1,"start":{"mono_ns":0,"wall_ns":0}}
module {"path":"/bin/app"}
func {"name":"serve","module":0,"addr":1}
func {"name":"\u001b]2;pwned\u0007\u001b[2J","module":0,"addr":2}
process {"pid":1,"comm":"app"}
thread {"pid":1,"tid":1,"comm":"app"}
0 0 entry 0 sp=0x7000
10 0 entry 1 sp=0x6000
900 0 return 1 sp=0x6000
1000 0 return 0 sp=0x7000
end {}
`

// pane is a terminal of tmux in which a shell has started utrace view.
type pane struct {
	t      *testing.T
	dir    string
	socket string
}

// viewInTmux starts utrace view in a terminal of 80 columns and 24 lines.
func viewInTmux(t *testing.T, args ...string) *pane {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("needs tmux (Debian: apt-get install tmux)")
	}
	p := &pane{t: t, dir: t.TempDir()}
	p.socket = filepath.Join(p.dir, "tmux")
	script := filepath.Join(p.dir, "script")
	text := fmt.Sprintf("cd %s; stty -g >before; echo before; '%s' view %s; echo status $?; stty -g >after; echo done; exec cat\n", p.dir, utracePath, strings.Join(args, " "))
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p.tmux("new-session", "-d", "-x", "80", "-y", "24", "sh "+script)
	t.Cleanup(func() { exec.Command("tmux", "-S", p.socket, "kill-server").Run() })
	p.tmux("pipe-pane", "cat >"+filepath.Join(p.dir, "raw"))
	return p
}

// tmux runs a command of tmux.
func (p *pane) tmux(args ...string) string {
	p.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-S", p.socket, "-f", os.DevNull}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TMUX=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("tmux %q: %v: %s", args, err, out)
	}
	return strings.TrimRight(string(out), "\n")
}

func (p *pane) screen() string { return p.tmux("capture-pane", "-p") }

// await waits until the screen is as it should be.
func (p *pane) await(what string, ok func(screen string) bool) {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		screen := p.screen()
		if ok(screen) {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s: not on the screen:\n%s", what, screen)
		}
	}
}

func (p *pane) shows(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		p.await(text, func(screen string) bool { return strings.Contains(screen, text) })
	}
}

func (p *pane) press(keys ...string) {
	p.t.Helper()
	p.tmux(append([]string{"send-keys"}, keys...)...)
}

// isClean checks that the terminal is as it was before, and that utrace ended with a status.
func (p *pane) isClean(status int) {
	p.t.Helper()
	p.shows(fmt.Sprintf("status %d", status), "done")
	if screen := p.screen(); !strings.HasPrefix(screen, "before\n") || strings.Contains(screen, "Functions") {
		p.t.Errorf("left on the screen:\n%s", screen)
	}
	if modes := p.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag} #{mouse_any_flag} #{keypad_cursor_flag} #{keypad_flag}"); modes != "0 1 0 0 0" {
		p.t.Errorf("alternate screen, cursor, mouse, cursor keys, keypad: %s", modes)
	}
	before, err := os.ReadFile(filepath.Join(p.dir, "before"))
	if err != nil {
		p.t.Fatal(err)
	}
	if after, err := os.ReadFile(filepath.Join(p.dir, "after")); err != nil || string(after) != string(before) {
		p.t.Errorf("stty says %s, before it said %s (%v)", after, before, err)
	}
}

// TestViewKeys drives utrace view with keys, resizes its terminal to 60x20, and ends it with
// Ctrl-C.
func TestViewKeys(t *testing.T) {
	trace, err := filepath.Abs("../../testdata/traces/demo.arrow")
	if err != nil {
		t.Fatal(err)
	}
	p := viewInTmux(t, trace)
	p.shows("1 Functions", "Total time", "handle_request")
	p.press("Enter")
	p.shows("nsecs", "distribution")
	p.press("q", "2")
	p.shows("TOTAL TIME", "(1000) handle_request")
	p.press("/", "read_row|render_row", "Enter")
	p.shows("render_row")
	p.press("3")
	p.shows("# DURATION     TID     FUNCTION", "handle_request() {")
	p.press("G")
	p.await("the last line", func(screen string) bool { return !strings.Contains(screen, " 1/") && !strings.Contains(screen, "...") })
	p.press("Tab")
	p.shows("DURATION       START     TID  CALL")
	p.press("1")

	p.tmux("resize-window", "-x", "60", "-y", "20")
	p.await("a table for 60 columns", func(screen string) bool {
		lines := strings.Split(screen, "\n")
		for _, line := range lines {
			if utf8.RuneCountInString(line) > 60 {
				return false
			}
		}
		return len(lines) == 20 && strings.Contains(screen, "Total time       Calls         P99  Function") && strings.Contains(lines[19], "q quit")
	})
	p.press("j", "C-z") // the kernel stops nobody whom no shell could continue
	p.press("C-c")
	p.isClean(0)
}

// TestViewSignal: a signal that ends utrace view leaves the terminal clean.
func TestViewSignal(t *testing.T) {
	trace := traceFile(t, "nesting")
	p := viewInTmux(t, trace)
	p.shows("Total time")
	shell := p.tmux("display-message", "-p", "#{pane_pid}")
	children, err := os.ReadFile(fmt.Sprintf("/proc/%s/task/%s/children", shell, shell))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.isClean(statusSignal + int(syscall.SIGTERM))
}

// TestViewHostile: no name of the traced program is obeyed by the terminal, nor does it reach it.
func TestViewHostile(t *testing.T) {
	trace := filepath.Join(t.TempDir(), "hostile.arrow")
	out, err := os.Create(trace)
	if err != nil {
		t.Fatal(err)
	}
	if err := format.ReadText(strings.NewReader(hostileTrace), out); err != nil {
		t.Fatal(err)
	}
	out.Close()
	p := viewInTmux(t, trace)
	p.shows("1 Functions") // the terminal would echo earlier keys
	for _, key := range []string{"1", "2", "3", "4"} {
		p.press(key)
		p.shows(`\x1b]2;pwned\a\x1b[2J`)
	}
	p.press("Q")
	p.isClean(0)
	if title := p.tmux("display-message", "-p", "#{pane_title}"); strings.Contains(title, "pwned") {
		t.Errorf("the title is %q", title)
	}
	raw, err := os.ReadFile(filepath.Join(p.dir, "raw"))
	if err != nil || len(raw) == 0 {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "\x1b]2;pwned") || strings.Contains(string(raw), "pwned\a") {
		t.Errorf("an escape sequence of a name reached the terminal: %q", raw)
	}
}

// TestViewRefuses: without a terminal, or a trace, utrace view says so and does nothing.
func TestViewRefuses(t *testing.T) {
	trace := traceFile(t, "nesting")
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{trace}, 1, "view needs a terminal: use utrace analyze to write to a pipe or a file"},
		{nil, 2, "0 traces given: want one"},
		{[]string{trace, trace}, 2, "2 traces given: want one"},
		{[]string{"--sort", "x", trace}, 2, "sort"},
	} {
		stdout, stderr, status := utrace(t, append([]string{"view"}, c.args...)...)
		if status != c.status || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: status %d, %q, %s, want %d, %q", c.args, status, stdout, stderr, c.status, c.want)
		}
	}
	p := viewInTmux(t, os.DevNull)
	p.shows("utrace: /dev/null: not a regular file")
	p.isClean(1)
}
