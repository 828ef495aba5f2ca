package analyze

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"utrace/format"
)

// fromText writes a trace from its text, which lacks the meta line.
func fromText(t testing.TB, text string) string {
	t.Helper()
	return fromWholeText(t, "meta {}\n"+text)
}

// fromWholeText makes a trace of a text with a meta line.
func fromWholeText(t testing.TB, text string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "trace.arrow"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := format.ReadText(strings.NewReader(text), f); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// A process that executes another program has samples of both, each under its own name.
func TestProfileNamesPrograms(t *testing.T) {
	path := fromText(t, `
module {"path": "/bin/sh"}
func {"name": "fork", "module": 0, "addr": 1}
func {"name": "main", "module": 0, "addr": 2}
process {"pid": 7, "comm": "sh"}
thread {"pid": 7, "tid": 7, "comm": "sh"}
10 0 entry 0 sp=0x1000
20 0 return 0 sp=0x1000
flush
process {"pid": 7, "comm": "ls"}
thread {"pid": 7, "tid": 7, "comm": "ls"}
30 1 entry 1 sp=0x1000
40 1 return 1 sp=0x1000
end {}`)
	p, _, err := Profile([]string{path}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range p.Sample {
		got = append(got, s.Location[0].Line[0].Function.Name+" "+s.Label["process"][0])
	}
	slices.Sort(got)
	if want := []string{"fork sh", "main ls"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// The parts of the self time in a profile are those of the report, also if the corrected time is
// shorter than the waits.
func TestProfileOfWaits(t *testing.T) {
	for _, name := range []string{"displaced", "sched"} {
		text, err := os.ReadFile(filepath.Join("..", "testdata", "traces", name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		path := writeTrace(t, strings.ReplaceAll(string(text), `"inside_ns":10,"call_ns":40`, `"inside_ns":4000,"call_ns":5000`))
		r, err := Report([]string{path}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var want, got [2]time.Duration // on a processor, and not
		for i := range r.Rows {
			row := &r.Rows[i]
			want[0] += row.SelfCPU()
			want[1] += row.SelfWaits.OffCPU()
		}
		p, _, err := Profile([]string{path}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i, kind := range p.SampleType {
			for _, s := range p.Sample {
				switch kind.Type {
				case "cpu":
					got[0] += time.Duration(s.Value[i])
				case "offcpu":
					got[1] += time.Duration(s.Value[i])
				}
			}
		}
		if got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
