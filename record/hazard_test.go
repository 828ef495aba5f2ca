package record

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"utrace/record/internal/target"
)

// TestLoadsAtStart: a Redis without enable-module-command, as before version 7, loads modules at any time.
func TestLoadsAtStart(t *testing.T) {
	const redis, option = "/usr/bin/redis-server", "enable-module-command\x00"
	program, err := os.ReadFile(redis)
	if err != nil {
		t.Skipf("needs Redis: %v", err)
	}
	if !bytes.Contains(program, []byte(option)) {
		t.Skip("needs Redis 7")
	}
	older := bytes.ReplaceAll(program, []byte(option), bytes.ToUpper([]byte(option)))
	for _, c := range []struct {
		name             string
		text             []byte
		started, unknown bool
	}{
		{"running", program, true, false},
		{"to be started", program, false, true},
		{"older, running", older, true, true},
	} {
		path := filepath.Join(t.TempDir(), "redis-server")
		if err := os.WriteFile(path, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := target.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if s := newSurroundings([]*target.File{file}, c.started); (s.unknown != "") != c.unknown {
			t.Errorf("%s: what else is there is not known: %q, want %v", c.name, s.unknown, c.unknown)
		}
	}
}
