package livetable

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"utrace/format"
)

// TestTable: each interval has the calls that began in it and the durations of those that ended in
// it. An interval whose table cannot be shown goes on.
func TestTable(t *testing.T) {
	var shown []*Snapshot
	refuse := false
	table := New(time.Second, func(s *Snapshot, last bool) bool {
		if refuse && !last {
			return false
		}
		shown = append(shown, s)
		return true
	})
	table.Define(format.Func{Name: "f"}, "/bin/prog")
	table.Define(format.Func{Name: "g\x1b"}, "/lib/lib.so")
	at := func(s float64) time.Time { return time.Unix(1000, int64(s*1e9)) }
	table.Settled(at(0))
	for range 3 {
		table.Entered(0)
	}
	table.Returned(0, time.Millisecond, false)
	table.Returned(0, 3*time.Millisecond, true)
	table.Settled(at(0.5))
	table.Settled(at(1.5))
	refuse = true
	table.Entered(1)
	table.Lost(7)
	table.Settled(at(3))
	refuse = false
	table.Entered(1)
	table.Settled(at(3.5))
	table.Returned(1, time.Second, false)
	table.Finish(at(4))
	table.Finish(at(5))

	if len(shown) != 3 {
		t.Fatalf("%d tables, want 3", len(shown))
	}
	first, second, third := shown[0], shown[1], shown[2]
	want := Row{Name: "f", Module: "prog", Calls: 3, Rate: 2, Total: 4 * time.Millisecond, P50: first.Rows[0].P50, P99: 3 * time.Millisecond, Max: 3 * time.Millisecond, Errors: 1, Covered: 1, AllCalls: 3}
	if first.Took != 1500*time.Millisecond || !slices.Equal(first.Rows, []Row{want}) {
		t.Errorf("first: %+v, want %+v", first, want)
	}
	if p50 := first.Rows[0].P50.Seconds(); p50 < 0.00099 || p50 > 0.00101 {
		t.Errorf("P50 %f s", p50)
	}
	if second.Took != 2*time.Second || second.Lost != 7 || len(second.Rows) != 1 || second.Rows[0].Calls != 2 || strings.Contains(second.Rows[0].Name, "\x1b") {
		t.Errorf("second: %+v", second)
	}
	if len(third.Rows) != 1 || third.Rows[0].Calls != 0 || third.Rows[0].Max != time.Second || third.Rows[0].AllCalls != 2 || third.Lost != 0 {
		t.Errorf("third: %+v", third)
	}
}

// TestCovered: windows that overlap count once.
func TestCovered(t *testing.T) {
	var got *Snapshot
	table := New(0, func(s *Snapshot, _ bool) bool { got = s; return true })
	table.Define(format.Func{Name: "f"}, "/bin/prog")
	table.Entered(0)
	for _, w := range [][2]time.Duration{{0, 1}, {1, 2}, {1, 3}, {9, 10}} {
		table.Probed([]format.FuncID{0}, w[0]*time.Second, w[1]*time.Second)
	}
	table.Settled(time.Unix(10, 0))
	table.Finish(time.Unix(20, 0))
	if got == nil || !got.Windows || got.Rows[0].Covered != 0.4 {
		t.Errorf("%+v, want 40%% covered", got)
	}
}

// TestShow: rows are sorted by the key, equal names have their module, and JSON has one line.
func TestShow(t *testing.T) {
	s := &Snapshot{Time: time.Unix(0, 0).UTC(), Took: time.Second, Calls: 12348, Lost: 1000, Rows: []Row{
		{Name: "a", Module: "one", Calls: 1, Rate: 1, Max: time.Second, Total: time.Second, P50: time.Second, P99: time.Second},
		{Name: "b", Module: "one", Calls: 12345, Rate: 12345},
		{Name: "a", Module: "two", Calls: 2, Rate: 2, Errors: 1},
	}}
	for key, want := range map[string]string{"calls": "b a.two a.one", "errors": "a.two a.one b", "max": "a.one a.two b", "name": "a.one a.two b"} {
		s.Sort(key, 0)
		var got []string
		for _, r := range s.Rows {
			name := r.Name
			if r.Name == "a" {
				name += "." + r.Module
			}
			got = append(got, name)
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("--sort %s: %s, want %s", key, text, want)
		}
	}
	s.Sort("calls", 0)
	want := []string{
		"00:00:00  1.0 s  12,348 calls  1,000 events lost: calls are missing",
		"     Calls     Calls/s         P50         P99         Max      Errors  Function",
		"    12,345    12,345.0           -           -           -           0  b",
		"         2         2.0           -           -           -           1  a [two]",
		"         1         1.0     1.000 s     1.000 s     1.000 s           0  a [one]",
	}
	if got := s.Text("total", 0); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var b bytes.Buffer
	if err := s.WriteJSON(&b); err != nil || strings.Count(b.String(), "\n") != 1 {
		t.Errorf("%v: %q", err, b.String())
	}
	var decoded struct {
		Lost      uint64
		Functions []struct {
			Name  string
			Calls uint64
			MaxNs int64 `json:"max_ns"`
		}
	}
	if err := json.Unmarshal(b.Bytes(), &decoded); err != nil || decoded.Lost != 1000 || decoded.Functions[0].Calls != 12345 || decoded.Functions[2].MaxNs != 1e9 {
		t.Errorf("%v: %+v", err, decoded)
	}
}

// TestScreen: on a terminal a table replaces the one before, unless a message came between; on a
// pipe there are only the lines.
func TestScreen(t *testing.T) {
	var b bytes.Buffer
	s := &Screen{W: &b, Size: func() (int, int) { return 4, 10 }}
	s.Show([]string{"123456", "b"})
	s.Show([]string{"c"})
	s.Leave()
	s.Show([]string{"d"})
	if want := "1234\nb\n\x1b[2A\r\x1b[Jc\nd\n"; b.String() != want || s.Room() != 9 {
		t.Errorf("terminal: %q, want %q; room %d", b.String(), want, s.Room())
	}
	b.Reset()
	s = &Screen{W: &b}
	s.Show([]string{"123456", "b"})
	s.Show([]string{"c"})
	if want := "123456\nb\n\nc\n"; b.String() != want || s.Room() != 0 {
		t.Errorf("pipe: %q, want %q", b.String(), want)
	}
}

// TestTextFits: the names keep their room, the column of the sort key stays longest, and names are
// shortened in the middle.
func TestTextFits(t *testing.T) {
	s := &Snapshot{Windows: true, Rows: []Row{{Name: "server::handle_request_of_a_client_that_waits", Calls: 7, Max: time.Second, P50: time.Second, P99: time.Second}}}
	for _, c := range []struct {
		key   string
		width int
		want  []string
	}{
		{"total", 80, []string{"     Calls         P50         P99      Errors  Function", "         7     1.000 s     1.000 s           0  server::handle_…lient_that_waits"}},
		{"max", 60, []string{"     Calls         Max  Function", "         7     1.000 s  server::handle_re…_client_that_waits"}},
		{"errors", 20, []string{"    Errors  Function", "         0  ser…aits"}},
	} {
		if got := s.Text(c.key, c.width)[1:]; !slices.Equal(got, c.want) {
			t.Errorf("--sort %s, %d columns:\n%s\nwant\n%s", c.key, c.width, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}
