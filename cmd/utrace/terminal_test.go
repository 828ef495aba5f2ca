//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// onTerminal runs utrace on a terminal of that many columns, and returns what it writes.
func onTerminal(t *testing.T, columns int, env []string, args ...string) string {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	defer ours.Close()
	fd := int(ours.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(columns)})
	}
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	cmd := exec.Command(utracePath, args...)
	cmd.Env = append(append(os.Environ(), "COLUMNS=", "NO_COLOR=", "TERM=xterm"), env...)
	cmd.Stdout, cmd.Stderr = theirs, theirs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	text, _ := io.ReadAll(ours) // EIO when the last writer has closed it
	if err := cmd.Wait(); err != nil {
		t.Errorf("%q: %v: %s", args, err, text)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

// tableWidth is the width of the line below the titles of a report's table.
func tableWidth(t *testing.T, text string) int {
	t.Helper()
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "  =====") {
			return utf8.RuneCountInString(strings.TrimSpace(line)) + 2
		}
	}
	t.Fatalf("no table:\n%s", text)
	return 0
}

// TestTerminal: tables fit the terminal or $COLUMNS, colours are for terminals only, and the flags
// and NO_COLOR are obeyed.
func TestTerminal(t *testing.T) {
	trace := traceFile(t, "nesting")
	piped, _, _ := utrace(t, "analyze", trace)
	full := tableWidth(t, piped)
	for _, c := range []struct {
		columns  int
		env      []string
		flags    []string
		min, max int
		color    bool
	}{
		{columns: 70, min: 50, max: 70, color: true},
		{columns: 70, env: []string{"COLUMNS=100"}, min: 80, max: 100, color: true},
		{columns: 70, env: []string{"COLUMNS=x"}, min: 50, max: 70, color: true},
		{columns: 70, env: []string{"NO_COLOR=1"}, min: 50, max: 70},
		{columns: 70, env: []string{"TERM=dumb"}, min: 50, max: 70},
		{columns: 70, flags: []string{"--color=never"}, min: 50, max: 70},
		{columns: 70, env: []string{"NO_COLOR=1"}, flags: []string{"--color=always"}, min: 50, max: 70, color: true},
		{columns: 70, flags: []string{"--wide", "--spark=false"}, min: full, max: full, color: true},
	} {
		text := onTerminal(t, c.columns, c.env, append([]string{"analyze", trace}, c.flags...)...)
		if width := tableWidth(t, text); width < c.min || width > c.max {
			t.Errorf("%+v: the table is %d wide:\n%s", c, width, text)
		}
		if strings.Contains(text, "\x1b[") != c.color {
			t.Errorf("%+v: colours:\n%q", c, text)
		}
	}
	if strings.Contains(piped, "\x1b[") {
		t.Errorf("colours on a pipe: %q", piped)
	}
	if out, _, _ := utrace(t, "analyze", "--color=always", trace); !strings.Contains(out, "\x1b[31m") {
		t.Errorf("--color=always on a pipe: %q", out)
	}
	if _, stderr, status := utrace(t, "analyze", "--color=sometimes", trace); status != statusUsage || !strings.Contains(stderr, "want auto, always or never") {
		t.Errorf("status %d: %s", status, stderr)
	}
}

// TestTerminalWhy: the tables of --why fit the terminal, and --wide shows all columns.
func TestTerminalWhy(t *testing.T) {
	const trace = "../../testdata/traces/demo.arrow"
	for flag, want := range map[string]bool{"--wide=false": true, "--wide": false} {
		text := onTerminal(t, 80, nil, "analyze", "--why", "handle_request", flag, trace)
		if fits := strings.Contains(text, "left out to fit the width"); fits != want || strings.Contains(text, "  Self time   Typical  Path") == want {
			t.Errorf("%s:\n%s", flag, text)
		}
	}
}
