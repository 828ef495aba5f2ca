//go:build linux

package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

// TestProperties: a command has the same properties recorded as alone: open files, limits, rights,
// signals, and so on (properties.c). That holds for programs of several kinds, and for commands of
// a process with unusual properties (unusual.c). Under sudo the command has the rights of the user
// who called sudo, and those that its program gives it.
func TestProperties(t *testing.T) {
	harness.NeedKernel(t)
	for _, tool := range []string{"setpriv", "setcap", harness.Python} {
		harness.NeedTool(t, tool)
	}
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		os.Chmod(d, 0o755)
	}
	install := func(name, from string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		copyFile(t, from, path)
		if err := os.Chmod(path, mode); err != nil { // after copying: a write ends set-user-ID
			t.Fatal(err)
		}
		return path
	}
	properties := install("properties", harness.Target(t, "properties.c"), 0o755)
	unusual := install("unusual", harness.Target(t, "unusual.c"), 0o755)
	goProgram := install("executes", harness.GoTarget(t, "executes"), 0o755)
	sanitized := install("sanitized", harness.Target(t, "properties.c", "-fsanitize=address"), 0o755)
	setuid := install("setuid", properties, 0o755|os.ModeSetuid)
	setgid := install("setgid", properties, 0o755|os.ModeSetgid)
	unreadable := install("unreadable", properties, 0o111|os.ModeSetuid)
	capable := install("capable", properties, 0o755)
	harness.Run(t, "setcap", "cap_net_raw,cap_sys_nice+ep", capable)
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!"+setuid+" of a script\n"), 0o755); err != nil {
		t.Fatal(err)
	}

	for _, command := range [][]string{
		{properties, "an argument", "", "-x"},
		{sanitized},
		{goProgram, properties, "by Go"},
		{harness.Python, "-c", "import os, sys; os.execv(sys.argv[1], ['other', 'by Python'])", properties},
		{"sh", "-c", properties + " | cat; " + sanitized + " & wait"},
		{"sh", "-c", "exec 5</dev/null 6>&1; ulimit -n 100; " + setuid + "; " + capable},
		{setuid, "an argument"}, {setgid}, {unreadable}, {capable}, {script, "an argument"},
	} {
		for _, prefix := range [][]string{nil, {unusual}} {
			for _, sudo := range []bool{false, true} {
				name := filepath.Base(command[0]) + map[bool]string{true: ", sudo"}[sudo] + map[bool]string{true: ", unusual"}[prefix != nil]
				t.Run(name, func(t *testing.T) {
					if prefix == nil {
						harness.Long(t)
					}
					environment, rights := os.Environ(), []string{}
					if sudo {
						environment = append(environment, "SUDO_UID=65534", "SUDO_GID=65534", "SUDO_USER=nobody")
						rights = []string{"setpriv", "--reuid=65534", "--regid=65534", "--init-groups", "env",
							"-u", "SUDO_UID", "-u", "SUDO_GID", "-u", "SUDO_USER", "-u", "MAIL", "HOME=/nonexistent", "USER=nobody", "LOGNAME=nobody"}
					}
					want := propertiesOf(t, environment, slices.Concat(prefix, rights, command))
					for _, flags := range [][]string{{"-e", "work"}, {"-e", properties + ":work", "--no-follow"}} {
						record := append([]string{harness.Binary(), "record", "-o", filepath.Join(t.TempDir(), "trace.arrow")}, flags...)
						got := propertiesOf(t, environment, slices.Concat(prefix, record, []string{"--"}, command))
						harness.WantLines(t, got, want)
					}
				})
			}
		}
	}
}

// propertiesOf runs a program, and returns the lines that it prints, sorted: variables of the
// environment have no order. The last one is its status.
func propertiesOf(t *testing.T, environment, command []string) []string {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = environment
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, _ := cmd.Output()
	lines := harness.Lines(string(out))
	if len(lines) < 50 {
		t.Fatalf("%q prints %d lines\n%s", command, len(lines), &stderr)
	}
	slices.Sort(lines)
	return append(lines, cmd.ProcessState.String())
}
