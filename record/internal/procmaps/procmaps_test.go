package procmaps

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

func TestParseMaps(t *testing.T) {
	got, err := parseMaps(strings.NewReader(`
55d0a0000000-55d0a0001000 r-xp 00001000 fd:01 1234                       /usr/bin/a b
7f0000000000-7f0000001000 rw-p 00000000 00:00 0 
7f0000002000-7f0000003000 r--s 00000000 00:05 99                         /tmp/x (deleted)
7f0000004000-7f0000005000 r--p 00000000 103:00002 7                      /new\012line
7ffc00000000-7ffc00001000 r-xp 00000000 00:00 0                          [vdso]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
`[1:]))
	if err != nil {
		t.Fatal(err)
	}
	want := []Mapping{
		{Start: 0x55d0a0000000, End: 0x55d0a0001000, FileOff: 0x1000, Path: "/usr/bin/a b", Dev: 0xfd01, Inode: 1234, Exec: true},
		{Start: 0x7f0000000000, End: 0x7f0000001000, Writable: true},
		{Start: 0x7f0000002000, End: 0x7f0000003000, Path: "/tmp/x", Dev: 5, Inode: 99, Deleted: true, Shared: true},
		{Start: 0x7f0000004000, End: 0x7f0000005000, Path: "/new\nline", Dev: 0x10302, Inode: 7},
		{Start: 0x7ffc00000000, End: 0x7ffc00001000, Path: "[vdso]", Exec: true},
		{Start: 0xffffffffff600000, End: 0xffffffffff601000, Path: "[vsyscall]", Exec: true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for _, bad := range []string{
		"nonsense", "1-2 r-xp 0 0:0", "2-1 r-xp 0 0:0 0", "1-x r-xp 0 0:0 0", "1-2 r-xp 0 0 0", "\n",
		strings.Repeat("x", 1<<17),
	} {
		if m, err := parseMaps(strings.NewReader(bad)); err == nil {
			t.Errorf("%.20q: %+v", bad, m)
		}
	}
}

// mapFile maps a file into this process and returns its mapping.
func mapFile(t *testing.T, path string) (Mapping, bool) {
	t.Helper()
	h, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	b, err := syscall.Mmap(int(h.Fd()), 0, 4096, syscall.PROT_READ, syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(b) })
	all, err := Read(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if m.Path == path {
			return m, true
		}
	}
	return Mapping{}, false
}

func TestOpenPath(t *testing.T) {
	pid := os.Getpid()
	path := filepath.Join(t.TempDir(), "mapped file")
	if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, ok := mapFile(t, path)
	if !ok {
		t.Fatal("the mapping is not listed")
	}
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	if uint64(st.Dev) != m.Dev {
		t.Skip("this file system shows another device in maps than in stat")
	}
	if got := m.OpenPath(pid); got != path {
		t.Errorf("%s, want %s", got, path)
	}
	// Another file takes its name: only map_files leads to the mapped one.
	if err := os.WriteFile(path+".new", []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	got := m.OpenPath(pid)
	if want := fmt.Sprintf("/proc/%d/map_files/%x-%x", pid, m.Start, m.End); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if b, err := os.ReadFile(got); errors.Is(err, os.ErrPermission) {
		t.Log("map_files is only for root")
	} else if string(b) != "one" {
		t.Errorf("%s holds %q, %v", got, b, err)
	}
	if got := (Mapping{Path: "[heap]"}).OpenPath(pid); got != "" {
		t.Errorf("[heap]: %s", got)
	}
}

func TestMappingsOfNobody(t *testing.T) {
	if _, err := Read(1 << 30); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func FuzzMaps(f *testing.F) {
	f.Add("55d0a0000000-55d0a0001000 r-xp 00001000 fd:01 1234                       /usr/bin/a b\n")
	f.Add("7f0000002000-7f0000003000 r--s 00000000 00:05 99    /tmp/x\\012y (deleted)\n")
	f.Add("7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \n")
	f.Add("-  :  \n")
	f.Fuzz(func(t *testing.T, s string) {
		maps, err := parseMaps(strings.NewReader(s))
		if err != nil {
			return
		}
		for _, m := range maps {
			if m.Start > m.End {
				t.Errorf("%+v", m)
			}
		}
	})
}
