//go:build linux

package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"utrace/bpf"
	"utrace/format"
)

// TestCommandStatus: utrace ends like the command that it records, as a shell does, and the trace
// is complete.
func TestCommandStatus(t *testing.T) {
	if err := bpf.Check(); err != nil {
		t.Skipf("needs root and BPF: %v", err)
	}
	for _, c := range []struct {
		script string
		status int
		want   string
	}{
		{"kill -SEGV $$", 128 + int(syscall.SIGSEGV), "utrace: the command was killed by signal 11 (segmentation fault)"},
		{"kill -KILL $$", 128 + int(syscall.SIGKILL), "utrace: the command was killed by signal 9 (killed)"},
		{"kill -TERM $$", 128 + int(syscall.SIGTERM), "utrace: the command was killed by signal 15 (terminated)"},
		{"kill -0 $$; exit 7", 7, "utrace: the command ended with exit status 7"},
		{"kill -0 $$; exit 255", 255, "utrace: the command ended with exit status 255"},
		{"kill -0 $$; sh -c 'kill -KILL $$'; exit 0", 0, ""},
	} {
		for _, follow := range []string{"--follow", "--no-follow"} {
			t.Run(c.script+" "+follow, func(t *testing.T) {
				trace := filepath.Join(t.TempDir(), "trace.arrow")
				_, stderr, status := utrace(t, "record", follow, "-o", trace, "-e", "c:kill", "--", "sh", "-c", c.script)
				if status != c.status || strings.Count(stderr, "utrace: the command ") != strings.Count(c.want, "utrace: ") || !strings.Contains(stderr, c.want+"\n") {
					t.Errorf("status %d, want %d and %q\n%s", status, c.status, c.want, stderr)
				}
				r, err := format.Open(trace)
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				if err := format.Validate(r); err != nil {
					t.Error(err)
				}
				if damage := r.Damage(); damage != "" {
					t.Error(damage)
				}
			})
		}
	}
}
