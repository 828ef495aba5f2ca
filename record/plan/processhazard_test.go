package plan

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"utrace/record/internal/elffile"
)

// TestLoadsAtStart checks that a running Redis loads no more code, except one without
// enable-module-command, as before version 7.
func TestLoadsAtStart(t *testing.T) {
	const option = "enable-module-command\x00"
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	source, built := filepath.Join(dir, "server.c"), filepath.Join(dir, "server")
	text := `#include <dlfcn.h>
__attribute__((used)) const char option[] = "enable-module-command";
int main(int argc, char **argv) { return argc > 1 && !dlopen(argv[1], RTLD_NOW); }
`
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-O1", "-o", built, source, "-ldl").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, err := os.ReadFile(built)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(program, []byte(option)) {
		t.Fatal("the program does not contain the option")
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
		file, err := elffile.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if s := newProcessHazards([]*elffile.File{file}, c.started); (s.unknown != "") != c.unknown {
			t.Errorf("%s: unknown is %q, want %v", c.name, s.unknown, c.unknown)
		}
	}
}
