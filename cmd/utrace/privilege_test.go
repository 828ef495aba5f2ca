//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestWithoutRoot: one line says what is missing, sudo, and utrace doctor.
func TestWithoutRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to be somebody else")
	}
	binary := filepath.Join(t.TempDir(), "utrace") // TestMain's directory belongs to root alone
	text, err := os.ReadFile(utracePath)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, text, 0o755); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(binary); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755)
	}

	pid := strconv.Itoa(os.Getpid())
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	for _, c := range []struct {
		args, want string
	}{
		{"record -p " + pid, "CAP_SYS_PTRACE"},
		{"record --follow -p " + pid + " -e work", "CAP_SYS_PTRACE"},
		{"record -p " + pid + " --preset python", "CAP_SYS_PTRACE"},
		{"plan -p " + pid, "CAP_SYS_PTRACE"},
		{"list -p " + pid, "CAP_SYS_PTRACE"},
		{"list -l -p " + pid, "CAP_SYS_PTRACE"},
		{"record -o " + trace + " -- sleep 0", "CAP_BPF"},
		{"record -o " + trace + " -d 1s --preset dns", "CAP_BPF"},
		{"record -o " + trace + " -d 1s", "permission denied for "},
		{"plan", "permission denied for "},
	} {
		cmd := exec.Command(binary, strings.Fields(c.args)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Skipf("nobody cannot run it here: %v", err)
		}
		said := string(out)
		if cmd.ProcessState.ExitCode() != 1 || strings.Count(said, "\n") != 1 || !strings.Contains(said, c.want) || !strings.Contains(said, "sudo") {
			t.Errorf("%s: %v\n%s", c.args, cmd.ProcessState, said)
		}
		if !strings.Contains(said, "utrace doctor") {
			t.Errorf("%s: no utrace doctor\n%s", c.args, said)
		}
	}
}
