//go:build linux

// Package harness is shared by the end-to-end tests. They use the built program as a user does, on
// real programs: they build targets, record them, and read the reports. Most need root, BPF and a C
// compiler. Where something is missing, a test is skipped and says so in one line.
//
// A package of end-to-end tests has a TestMain that calls [Main].
package harness

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the path of the built program. Main sets it before any test runs.
var binary string

// Main builds utrace, runs the tests of a package, and returns the status to exit with. Packages
// take turns, since many tests measure time: Main waits until no other process on this machine is
// in its Main.
func Main(m *testing.M) int {
	flag.Parse()
	unlock, err := takeTurn()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer unlock()

	dir, err := os.MkdirTemp("", "utrace-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")  // chroot and runuser are there, which a user's PATH may lack
	os.Setenv("GMON_OUT_PREFIX", filepath.Join(dir, "gmon")) // programs built with -pg leave a file at their end

	binary = filepath.Join(dir, "utrace")
	if out, err := exec.Command("go", "build", "-o", binary, "utrace/cmd/utrace").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// Binary returns the path of the built program, for tests that start it themselves.
func Binary() string { return binary }

// Utrace runs the built program and returns its outputs and exit status. Any status is accepted.
func Utrace(t testing.TB, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}
