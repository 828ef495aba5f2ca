//go:build linux

package output

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLocate: a trace is found after others have renamed, replaced or removed it.
func TestLocate(t *testing.T) {
	for _, c := range []struct {
		name  string
		after func(path string) error
		want  string // relative to the directory; "" for an error
	}{
		{"nothing", func(string) error { return nil }, "trace"},
		{"renamed", func(path string) error { return os.Rename(path, path+".moved") }, "trace.moved"},
		{"moved", func(path string) error { return os.Rename(path, filepath.Join(path, "../../moved")) }, elsewhere},
		{"removed", os.Remove, "trace"},
		{"replaced", func(path string) error { return os.Rename(path, path+".old") }, "trace.old"},
		{"replaced twice", func(path string) error {
			replaceTrace(t, path, "second", true)
			replaceTrace(t, path, "third", true)
			return nil
		}, "trace.1"},
		{"directory removed", func(path string) error { return os.RemoveAll(filepath.Dir(path)) }, ""},
	} {
		dir := filepath.Join(t.TempDir(), "dir")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "trace")
		o, err := Create(path, false)
		if err != nil {
			t.Fatal(err)
		}
		writeTrace(t, o.File, "first", true)
		if err := o.Publish(); err != nil {
			t.Fatal(err)
		}
		if err := c.after(path); err != nil {
			t.Fatal(err)
		}
		got, err := o.Locate()
		switch {
		case c.want == "":
			if err == nil {
				t.Errorf("%s: %s, and no error", c.name, got)
			}
		case c.want == elsewhere:
			if err != nil || got != elsewhere {
				t.Errorf("%s: %q, %v", c.name, got, err)
			}
		case err != nil || got != filepath.Join(dir, c.want):
			t.Errorf("%s: %q, %v, want %s", c.name, got, err, c.want)
		default:
			wantHost(t, got, "first")
		}
		o.Close()
	}
}
