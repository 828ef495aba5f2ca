package analyze

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"utrace/format"
)

// places is a trace of processes in two containers of one name, in a unit, and in neither. The
// process of the unit executes a program elsewhere. The counters of its dropped calls come last.
const places = `meta {}
module {"path": "/bin/prog"}
func {"name": "work", "module": 0, "addr": 1}
process {"pid": 1, "comm": "web", "cgroup": "/docker/a", "container": "front"}
thread {"pid": 1, "tid": 1, "comm": "web"}
process {"pid": 2, "comm": "web", "cgroup": "/docker/b", "container": "front", "pod": "prod/shop"}
thread {"pid": 2, "tid": 2, "comm": "web"}
process {"pid": 3, "comm": "web", "cgroup": "/system.slice/web.service", "unit": "web.service"}
thread {"pid": 3, "tid": 3, "comm": "web"}
process {"pid": 4, "comm": "web"}
thread {"pid": 4, "tid": 4, "comm": "web"}
10 0 entry 0 sp=0x7000
20 0 return 0 sp=0x7000
30 1 entry 0 sp=0x7000
40 1 return 0 sp=0x7000
50 2 entry 0 sp=0x7000
60 2 return 0 sp=0x7000
70 3 entry 0 sp=0x7000
80 3 return 0 sp=0x7000
flush
process {"pid": 3, "comm": "other", "cgroup": "/other.slice", "unit": "other.service"}
thread {"pid": 3, "tid": 3, "comm": "other"}
90 4 entry 0 sp=0x7000
99 4 return 0 sp=0x7000
dropped {"func": 0, "pid": 2, "complete": 5, "sum_ns": 50, "total_ns": 50, "self_ns": 50}
end {}
`

// TestByPlace: calls are grouped by where their process ran when they were made, dropped ones too.
func TestByPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.arrow")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := format.ReadText(strings.NewReader(places), f); err != nil {
		t.Fatal(err)
	}
	for by, want := range map[string]map[string]uint64{
		"container": {"front": 7, "": 3},
		"unit":      {"web.service": 1, "other.service": 1, "": 8},
		"pod":       {"prod/shop": 6, "": 4},
		"cgroup":    {"/docker/a": 1, "/docker/b": 6, "/system.slice/web.service": 1, "/other.slice": 1, "": 1},
	} {
		r, err := Report([]string{path}, Options{By: by})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]uint64{}
		for i := range r.Rows {
			got[r.Rows[i].Value.Text] += r.Rows[i].Calls
		}
		for value, n := range want {
			if got[value] != n {
				t.Errorf("%s %q: %d calls, want %d", by, value, got[value], n)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %v, want %v", by, got, want)
		}
	}
}
