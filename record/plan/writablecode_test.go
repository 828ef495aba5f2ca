//go:build linux

package plan

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"utrace/record/internal/probe"
)

// TestWritableSegment checks that code in a segment that is writable as well is left out.
func TestWritableSegment(t *testing.T) {
	bin, err := os.ReadFile(fixturePath(t, "pie.elf"))
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	headers, count := le.Uint64(bin[32:]), le.Uint16(bin[56:]) // e_phoff, e_phnum
	for i := range uint64(count) {
		header := bin[headers+56*i:]
		if flags := le.Uint32(header[4:]); le.Uint32(header) == 1 && flags&1 != 0 { // PT_LOAD, PF_X
			le.PutUint32(header[4:], flags|2) // PF_W
		}
	}
	path := filepath.Join(t.TempDir(), "rwx.elf")
	if err := os.WriteFile(path, bin, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{":main", ":main+2"} {
		_, err = New(Config{Probes: parseProbes(t, path+text)})
		if !errors.Is(err, ErrNothing) || !strings.Contains(err.Error(), whyWritable) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestMappedCode checks that code is left out if the process has mapped it shared or writable,
// unless it is also mapped as usual or children are recorded.
func TestMappedCode(t *testing.T) {
	path := fixturePath(t, "pie.elf")
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	mapCode := func(prot, flags int) (unmap func()) {
		b, err := unix.Mmap(int(file.Fd()), 0, 4096, prot|unix.PROT_READ|unix.PROT_EXEC, flags)
		if err != nil {
			t.Fatal(err)
		}
		return func() { unix.Munmap(b) }
	}
	plan := func(follow bool) (*Plan, error) {
		return New(Config{PIDs: []int{os.Getpid()}, Probes: []*probe.Probe{parseProbes(t, "FIXTURE:main")[0]}, Follow: follow})
	}
	for _, c := range []struct {
		how         string
		prot, flags int
	}{{"shared", 0, unix.MAP_SHARED}, {"writable", unix.PROT_WRITE, unix.MAP_PRIVATE}} {
		unmap := mapCode(c.prot, c.flags)
		if _, err := plan(false); !errors.Is(err, ErrNothing) || !strings.Contains(err.Error(), "has mapped this code "+c.how) {
			t.Errorf("%s: %v", c.how, err)
		}
		p, err := plan(true)
		if err != nil {
			t.Fatal(err)
		}
		if p.Funcs() != 1 || len(p.Problems) != 1 || !strings.Contains(p.Problems[0], "has mapped this code "+c.how) {
			t.Errorf("%s, with children: %d functions, problems %q", c.how, p.Funcs(), p.Problems)
		}
		p.Close()

		usual := mapCode(0, unix.MAP_PRIVATE)
		if p, err = plan(false); err != nil {
			t.Fatal(err)
		}
		if p.Funcs() != 1 || len(p.Problems) > 0 {
			t.Errorf("%s and as usual: %d functions, problems %q", c.how, p.Funcs(), p.Problems)
		}
		p.Close()
		usual()
		unmap()
	}
}
