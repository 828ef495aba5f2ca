package analyze

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"utrace/format"
)

// writeValues writes a trace of random calls on three threads: "outer" and "both" take a host, both
// and "inner" return a number, "point" is a hit with a host, and "plain" has nothing.
func writeValues(t testing.TB, path string, calls, hosts int) {
	t.Helper()
	var b strings.Builder
	b.WriteString(`meta {}
module {"path": "/bin/prog"}
func {"name": "outer", "module": 0, "addr": 1, "args": [{"name": "n", "type": "u32"}, {"name": "host", "type": "str"}]}
func {"name": "both", "module": 0, "addr": 2, "args": [{"name": "host", "type": "str"}], "results": [{"name": "ret", "type": "s32"}]}
func {"name": "inner", "module": 0, "addr": 3, "results": [{"name": "ret", "type": "s64"}]}
func {"name": "plain", "module": 0, "addr": 4}
func {"name": "point", "module": 0, "addr": 5, "hit": true, "args": [{"name": "host", "type": "str"}]}
process {"pid": 7, "comm": "prog"}
thread {"pid": 7, "tid": 7, "comm": "main"}
thread {"pid": 7, "tid": 8, "comm": "worker"}
thread {"pid": 7, "tid": 9, "comm": "worker"}
`)
	rng := rand.New(rand.NewPCG(3, 4))
	var stacks [3][]int
	now := 0
	host := func() string { return fmt.Sprintf(`"host,]%d \"x\""`, rng.IntN(hosts)) }
	for range calls {
		th := rng.IntN(3)
		st := &stacks[th]
		now += 1 + rng.IntN(1000)
		sp := 0x10000 - 16*len(*st)
		switch fn := rng.IntN(5); {
		case fn == 4:
			fmt.Fprintf(&b, "%d %d hit 4 args=[%s]\n", now, th, host())
		case len(*st) < 6 && rng.IntN(2) == 0:
			*st = append(*st, fn)
			args := []string{fmt.Sprintf(" args=[%d, %s]", rng.IntN(3), host()), fmt.Sprintf(" args=[%s]", host()), "", ""}[fn]
			fmt.Fprintf(&b, "%d %d entry %d sp=%#x%s\n", now, th, fn, sp, args)
		case len(*st) > 0:
			fn := (*st)[len(*st)-1]
			*st = (*st)[:len(*st)-1]
			if rng.IntN(10) == 0 { // it is lost
				continue
			}
			args := ""
			if fn == 1 || fn == 2 {
				args = fmt.Sprintf(" args=[%d]", rng.IntN(4)-2)
			}
			fmt.Fprintf(&b, "%d %d return %d sp=%#x%s\n", now, th, fn, sp+16, args)
		}
	}
	b.WriteString("end {}\n")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := format.ReadText(strings.NewReader(b.String()), f); err != nil {
		t.Fatal(err)
	}
}

type groupFigures struct {
	Calls, Complete uint64
	Durations, Self time.Duration
	Total           time.Duration
}

// groupsOfFlow works out the figures of each function and value from what Flow shows.
func groupsOfFlow(t *testing.T, path, by string) map[string]groupFigures {
	t.Helper()
	type call struct {
		name, value string
		inside      time.Duration
		inner       time.Duration // in Total, if it is not complete
	}
	figures := map[string]groupFigures{}
	open := map[format.ThreadID][]call{}
	_, err := Flow(path, Options{}, false, func(s *Step) error {
		stack := open[s.ThreadID]
		value := ""
		switch name := s.Func.Name; {
		case by == "tid":
			value = fmt.Sprint(s.Thread.TID)
		case by == "comm":
			value = s.Thread.Comm
		case by == "ret":
		case name == "outer":
			_, value, _ = strings.Cut(s.Args, ", ")
		case name == "both" || name == "point":
			value = s.Args
		case len(stack) > 0:
			value = stack[len(stack)-1].value
		}
		count := func(value string, f groupFigures) {
			key := s.Func.Name + " " + value
			sum := figures[key]
			sum.Calls += f.Calls
			sum.Complete += f.Complete
			sum.Durations += f.Durations
			sum.Self += f.Self
			sum.Total += f.Total
			figures[key] = sum
		}
		switch s.Kind {
		case Hit:
			count(value, groupFigures{Calls: 1})
		case Enter:
			stack = append(stack, call{name: s.Func.Name, value: value})
		case Leave:
			top := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			inside := top.inside
			if s.State == Complete {
				if by == "ret" {
					top.value = s.Results
				}
				inside = s.Duration
				count(top.value, groupFigures{1, 1, s.Duration, s.Duration - top.inside, 0})
				top.inner = s.Duration
			} else {
				count(top.value, groupFigures{Calls: 1})
			}
			if len(stack) > 0 {
				stack[len(stack)-1].inside += inside
			}
			at := len(stack) - 1 // its result is not known yet when the calls inside it end
			for at >= 0 && (stack[at].name != top.name || stack[at].value != top.value && by != "ret") {
				at--
			}
			if at >= 0 {
				stack[at].inner += top.inner
			} else {
				count(top.value, groupFigures{Total: top.inner})
			}
		}
		open[s.ThreadID] = stack
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return figures
}

func TestGroups(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	writeValues(t, path, 20_000, 5)
	plain, err := Report([]string{path}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, by := range []string{"host", "ret", "tid", "comm"} {
		r, err := Report([]string{path}, Options{By: by})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]groupFigures{}
		totals := map[string]time.Duration{}
		for i := range r.Rows {
			row := &r.Rows[i]
			got[row.Name+" "+row.Value.Text] = groupFigures{row.Calls, row.Calls - row.Incomplete, row.Durations.Sum(), row.Self, row.Total}
			if row.Name == "point" {
				got[row.Name+" "+row.Value.Text] = groupFigures{Calls: row.Calls}
			}
			totals[row.Name] += row.Total
		}
		want := groupsOfFlow(t, path, by)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("by %s:\n%v\nwant:\n%v", by, got, want)
		}
		for i := range plain.Rows {
			if row := &plain.Rows[i]; totals[row.Name] != row.Total && by != "host" {
				t.Errorf("by %s: the totals of %s add up to %v, without groups it is %v", by, row.Name, totals[row.Name], row.Total)
			}
		}
		checkLabels(t, path, by, want)
	}
}

// checkLabels compares the samples of a profile, by label, with the figures of groups.
func checkLabels(t *testing.T, path, by string, want map[string]groupFigures) {
	t.Helper()
	p, _, err := Profile([]string{path}, Options{By: by})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]groupFigures{}
	for _, s := range p.Sample {
		value := ""
		if text, ok := s.Label[by]; ok {
			value = text[0]
			if by == "host" {
				value = fmt.Sprintf("%q", value)
			}
		} else if n, ok := s.NumLabel[by]; ok {
			value = fmt.Sprint(n[0])
		}
		key := s.Location[0].Line[0].Function.Name + " " + value
		sum := got[key]
		sum.Calls += uint64(s.Value[0])
		sum.Self += time.Duration(s.Value[1])
		got[key] = sum
	}
	for key, sum := range want {
		if g := got[key]; g.Calls != sum.Calls || g.Self != sum.Self {
			t.Errorf("profile by %s: %s has %v, want %v", by, key, g, sum)
		}
		delete(got, key)
	}
	if len(got) > 0 {
		t.Errorf("profile by %s: more: %v", by, got)
	}
}

// A recursive call with another value has a total time of its own. So do its waits, also if the
// call around it is not selected.
func TestTotalOfOtherValue(t *testing.T) {
	path := writeTrace(t, `meta {"sched": true}
module {"path": "/bin/prog"}
func {"name": "walk", "module": 0, "addr": 1, "args": [{"name": "path", "type": "str"}]}
func {"name": "read", "module": 0, "addr": 2}
process {"pid": 1, "comm": "prog"}
thread {"pid": 1, "tid": 1, "comm": "prog"}
1000 0 entry 0 sp=0x7000 args=["/"]
10000 0 entry 0 sp=0x6000 args=["/a"]
11000 0 entry 1 sp=0x5000
12000 0 entry 0 sp=0x4000 args=["/"]
13000 0 entry 1 sp=0x3000
20000 0 return 1 sp=0x3000
21000 0 return 0 sp=0x4000
22000 0 return 1 sp=0x5000
30000 0 sched-out 0 value=1
40000 0 wakeup 0 value=1
40000 0 sched-in 0
60000 0 return 0 sp=0x6000
61000 0 entry 0 sp=0x6000 args=["/b"]
99000 0 return 0 sp=0x6000
101000 0 return 0 sp=0x7000
end {}
`)
	type figures struct{ total, self, cpu, blocked time.Duration }
	for _, c := range []struct {
		from time.Duration
		want map[string]figures
	}{
		{0, map[string]figures{
			`walk "/"`: {100_000, 12_000 + 2_000, 90_000, 10_000}, `walk "/a"`: {50_000, 39_000, 40_000, 10_000}, `walk "/b"`: {38_000, 38_000, 38_000, 0},
			`read "/"`: {7_000, 7_000, 7_000, 0}, `read "/a"`: {11_000, 2_000, 11_000, 0},
		}},
		{5000, map[string]figures{
			`walk "/"`: {9_000, 2_000, 9_000, 0}, `walk "/a"`: {50_000, 39_000, 40_000, 10_000}, `walk "/b"`: {38_000, 38_000, 38_000, 0},
			`read "/"`: {7_000, 7_000, 7_000, 0}, `read "/a"`: {11_000, 2_000, 11_000, 0},
		}},
	} {
		r, err := Report([]string{path}, Options{By: "path", From: c.from})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]figures{}
		for i := range r.Rows {
			row := &r.Rows[i]
			got[row.Name+" "+row.Value.Text] = figures{row.Total, row.Self, row.CPU(), row.Waits.Blocked}
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("from %v:\n%v\nwant:\n%v", c.from, got, c.want)
		}
	}
}

// Values beyond the limit go into one row. No call is lost, and the result does not depend on the
// number of processors.
func TestManyValues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	writeValues(t, path, 80_000, 1<<30)
	plain, err := Report([]string{path}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	calls := func(r *Result) (n uint64) {
		for i := range r.Rows {
			n += r.Rows[i].Calls
		}
		return n
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one, err := Report([]string{path}, Options{By: "host"})
	if err != nil {
		t.Fatal(err)
	}
	runtime.GOMAXPROCS(4)
	four, err := Report([]string{path}, Options{By: "host"})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(one, four) {
		t.Error("one processor and four give different reports")
	}
	others := 0
	for i := range one.Rows {
		if one.Rows[i].Value.Text == OtherValues {
			others++
		}
	}
	if others != 5 || len(one.Rows) > maxGroups+2*5 || calls(one) != calls(plain) {
		t.Errorf("%d rows, %d of other values, %d calls of %d", len(one.Rows), others, calls(one), calls(plain))
	}
	if len(one.Warnings) == 0 || !strings.Contains(strings.Join(texts(one.Warnings), "\n"), OtherValues) {
		t.Errorf("no warning: %q", one.Warnings)
	}
}

func TestGroupByUnknown(t *testing.T) {
	r, err := Report([]string{fromText(t, slowTrace)}, Options{By: "pth"})
	if err != nil {
		t.Fatal(err)
	}
	want := "by pth: no function has such an argument or result: those recorded are n, p, path, ret, x"
	if len(r.Warnings) != 1 || r.Warnings[0].String() != want {
		t.Errorf("%q, want %q", r.Warnings, want)
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		typ, raw, text string
		plain          any
	}{
		{"s32", "-5", "-5", json.Number("-5")}, {"ptr", "4096", "0x1000", json.Number("4096")}, {"u64", "18446744073709551615", "18446744073709551615", json.Number("18446744073709551615")},
		{"str", `"a\u001b[31m\"b"`, `"a\x1b[31m\"b"`, `a\x1b[31m"b`}, {"str", "null", "?", nil}, {"str", `{"null":true}`, "NULL", nil}, {"str", `{"null":1}`, "?", nil}, {"bool", "true", "true", true},
		{"str", `{"text": "abc", "cut": true}`, `"abc"...`, "abc..."}, {"buf[n]", `{"bytes": "AP8="}`, `"\x00\xff"`, `\x00\xff`},
		{"buf[n]", `{"bytes": "!"}`, "?", nil}, {"char", `"x"`, "'x'", "x"}, {"f64", `"NaN"`, "NaN", "NaN"}, {"enum color", `"RED"`, "RED", "RED"},
		{"s32", "12x", "12x", nil}, {"s32", "[1]", "[1]", nil},
	} {
		if text, plain := formatValue(c.typ, []byte(c.raw)), plainValue([]byte(c.raw)); text != c.text || !reflect.DeepEqual(plain, c.plain) {
			t.Errorf("%s %s: %s and %#v, want %s and %#v", c.typ, c.raw, text, plain, c.text, c.plain)
		}
	}
}

// FuzzElement: element finds the same in a valid array as encoding/json.
func FuzzElement(f *testing.F) {
	for _, text := range []string{`[]`, `[1]`, ` [ "a,]\"\\" , {"x": [1, "}"]}, null ] `, `[1`, `["`, `[1,]`, `["\`, `[[]`, `[}]`, `[,]`} {
		f.Add([]byte(text), 1)
	}
	f.Fuzz(func(t *testing.T, text []byte, index int) {
		got, ok := element(text, index)
		var list []json.RawMessage
		if json.Unmarshal(text, &list) != nil || list == nil {
			return
		}
		if want := index >= 0 && index < len(list); ok != want || ok && string(got) != string(list[index]) {
			t.Errorf("%q: element %d is %q, %v", text, index, got, ok)
		}
	})
}

// The values of calls that are not selected take no room from the others. Calls inside an
// unselected call still have its value.
func TestGroupUnselectedTakesNoRoom(t *testing.T) {
	var b strings.Builder
	b.WriteString(`module {"path": "/bin/prog"}
func {"name": "noise", "module": 0, "addr": 1, "args": [{"name": "host", "type": "str"}]}
func {"name": "get", "module": 0, "addr": 2, "args": [{"name": "host", "type": "str"}]}
func {"name": "inner", "module": 0, "addr": 3}
func {"name": "outer", "module": 0, "addr": 4, "args": [{"name": "host", "type": "str"}]}
process {"pid": 7, "comm": "prog"}
thread {"pid": 7, "tid": 7, "comm": "prog"}
1 0 entry 3 sp=0x9000 args=["around"]
`)
	now := 1000
	call := func(fn, sp, ns int, host string) {
		fmt.Fprintf(&b, "%d 0 entry %d sp=%#x args=[%q]\n%d 0 return %d sp=%#x\n", now, fn, sp, host, now+ns, fn, sp)
		now += ns + 1
	}
	for i := range maxValues + 1 {
		call(0, 0x8000, 5, fmt.Sprintf("noise%d", i))
		call(1, 0x8000, 5, fmt.Sprintf("early%d", i))
	}
	from := now
	call(1, 0x8000, 10, "a")
	call(1, 0x8000, 10, "b")
	fmt.Fprintf(&b, "%d 0 entry 2 sp=0x8000\n%d 0 return 2 sp=0x8000\n%d 0 return 3 sp=0x9000\n", now+1, now+11, now+12)
	until := now + 20
	now = until
	for i := range maxValues + 1 {
		call(0, 0x8000, 5, fmt.Sprintf("late%d", i))
	}
	b.WriteString("end {}\n")
	path := fromText(t, b.String())

	pattern, err := ParsePattern("inner")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		opts Options
		want string
	}{
		"time":     {Options{From: time.Duration(from), To: time.Duration(until)}, `get "a", get "b", inner "around"`},
		"function": {Options{Function: pattern}, `inner "around"`},
		"duration": {Options{Min: 10}, `get "a", get "b", inner "around", outer "around"`},
	} {
		t.Run(name, func(t *testing.T) {
			c.opts.By = "host"
			r, err := Report([]string{path}, c.opts)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			r.Sort("name")
			for i := range r.Rows {
				got = append(got, r.Rows[i].Name+" "+r.Rows[i].Value.Text)
			}
			if text := strings.Join(got, ", "); text != c.want || len(r.Warnings) > 0 {
				t.Errorf("got  %s %q\nwant %s", text, r.Warnings, c.want)
			}
			if c.opts.Min > 0 {
				return
			}
			tree, err := CallTree([]string{path}, c.opts)
			if err != nil {
				t.Fatal(err)
			}
			got = got[:0]
			for _, n := range tree.Threads[0].Roots {
				got = append(got, n.Function.Name+" "+n.Value.Text)
			}
			slices.Sort(got)
			if text := strings.Join(got, ", "); text != c.want || len(tree.Warnings) > 0 {
				t.Errorf("tree: got  %s %q\nwant %s", text, tree.Warnings, c.want)
			}
		})
	}
}

// There is a warning if the values of open calls exceed the limit: those beyond it are one group.
func TestGroupHeldValues(t *testing.T) {
	const size = 512 << 10
	var b strings.Builder
	b.WriteString(`module {"path": "/bin/prog"}
func {"name": "get", "module": 0, "addr": 1, "args": [{"name": "host", "type": "str"}]}
process {"pid": 7, "comm": "prog"}
thread {"pid": 7, "tid": 7, "comm": "prog"}
`)
	const calls = maxValueBytes/size + 1
	for i := range calls {
		fmt.Fprintf(&b, "%d 0 entry 0 sp=%#x args=[\"%d%s\"]\nflush\n", i, 0x9000-i, i, strings.Repeat("x", size))
	}
	for i := range calls {
		fmt.Fprintf(&b, "%d 0 return 0 sp=%#x\n", 1000+i, 0x9000-calls+1+i)
	}
	path := fromText(t, b.String())
	r, err := Report([]string{path}, Options{By: "host"})
	if err != nil {
		t.Fatal(err)
	}
	others := slices.ContainsFunc(r.Rows, func(row Row) bool { return row.Value.Text == OtherValues })
	if warned := strings.Contains(strings.Join(texts(r.Warnings), "\n"), OtherValues); !others || !warned {
		t.Errorf("other values: %v, warnings %q", others, r.Warnings)
	}
}
