package symbols

import (
	"os"
	"path/filepath"
	"testing"

	"utrace/format"
	"utrace/record/internal/elftest"
)

// split has stripped programs and their debug files. nm names the function at 0x950 of pie by_tail_call.
var split = filepath.Join("..", "internal", "elffile", elftest.SplitDir)

const pieID = "47de647fa468b046f1c4e8e9a224029de07b6d96"

func TestName(t *testing.T) {
	s, err := Open([]string{filepath.Join(split, "pie.debug")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	pie := format.Module{BuildID: pieID}
	for _, c := range []struct {
		module     format.Module
		name       string
		addr       uint64
		want, file string
		wantAddr   uint64
		line       int
	}{
		{pie, "sub_950", 0x950, "by_tail_call", "/fixture/src/split.c", 0x950, 12},
		{pie, "sub_958", 0x958, "by_tail_call+0x8", "/fixture/src/split.c", 0x958, 12},
		{pie, "0x958", 0x958, "by_tail_call", "/fixture/src/split.c", 0x950, 12}, // on a stack
		{pie, "chosen", 0x950, "chosen", "", 0x950, 0},                           // it has a name
		{pie, "sub_fffff", 0xfffff, "sub_fffff", "", 0xfffff, 0},                 // in no function
		{format.Module{BuildID: "abcd"}, "sub_950", 0x950, "sub_950", "", 0x950, 0},
		{format.Module{}, "sub_950", 0x950, "sub_950", "", 0x950, 0},
	} {
		f := format.Func{Name: c.name, Addr: c.addr}
		if s.Name(&c.module, &f); f.Name != c.want || f.File != c.file || f.Line != c.line || f.Addr != c.wantAddr {
			t.Errorf("%s at %#x of %q: %+v", c.name, c.addr, c.module.BuildID, f)
		}
	}
	if !s.Used() {
		t.Error("functions got names, and it was not used")
	}
}

// Of two files with one build ID, the one with symbols counts. Files that are no ELF do not matter,
// except if they are named.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "text"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, paths := range [][]string{{split}, {dir, filepath.Join(split, "pie.elf"), filepath.Join(split, "pie.debug")}} {
		s, err := Open(paths)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if got := filepath.Base(s.paths[pieID]); got != "pie.debug" {
			t.Errorf("%q: names come from %q", paths, got)
		}
	}
	for _, path := range []string{filepath.Join(dir, "text"), filepath.Join(dir, "missing")} {
		if _, err := Open([]string{path}); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
}

func TestInstalledIsNoPath(t *testing.T) {
	for _, id := range []string{"", "ab", "../../../../etc/passwd", "ab/../../x"} {
		if path := Installed(id); path != "" {
			t.Errorf("%q: %s", id, path)
		}
	}
}
