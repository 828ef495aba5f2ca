package analyze

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestArgumentValues: calls are counted by value, or by size where there are many numbers.
func TestArgumentValues(t *testing.T) {
	var b strings.Builder
	b.WriteString(`meta {"recorder":"t","start":{"mono_ns":0,"wall_ns":0}}
module {"path":"/bin/prog"}
func {"name":"f","module":0,"addr":1,"args":[{"name":"size","type":"s64"},{"name":"name","type":"str"},{"name":"id","type":"str"}]}
thread {"pid":1,"tid":1,"comm":"prog"}
thread {"pid":1,"tid":2,"comm":"prog"}
`)
	now := 0
	for i := range 1000 {
		size, name := i%100-10, []string{"a", "b"}[i%2]
		fmt.Fprintf(&b, "%d %d entry 0 sp=0x7000 args=[%d, %q, \"id%d\"]\n", now, i%2, size, name, i)
		now += 1000 + 10*(i%2)
		fmt.Fprintf(&b, "%d %d return 0 sp=0x7000\n", now, i%2)
	}
	fmt.Fprintf(&b, "1 0 entry 0 sp=0x7000 args=[5, \"open\", \"x\"]\n")
	text := strings.Replace(b.String(), "1 0 entry", fmt.Sprint(now+1)+" 0 entry", 1) + fmt.Sprintf("end {\"stop\":{\"mono_ns\":%d}}\n", now+10)
	path := filepath.Join(t.TempDir(), "trace")
	writeText(t, path, text)
	for _, paths := range [][]string{{path}, {path, path}} {
		times := uint64(len(paths))
		d, err := MakeDigest(paths, Options{})
		if err != nil || len(d.Details) != 1 {
			t.Fatal(err)
		}
		args := d.Details[d.Rows[0].Function].Arguments
		if len(args) != 3 || args[0].Name != "size" || args[1].Name != "name" || args[2].Name != "id" {
			t.Fatalf("%+v", args)
		}
		var got []string
		for _, v := range args[0].Values {
			got = append(got, fmt.Sprintf("%s: %d", v.Text, v.Durations.Count()/times))
		}
		want := "[-15 to -8: 30 -7 to -4: 40 -3 to -2: 20 -1: 10 0: 10 1: 10 2 to 3: 20 4 to 7: 40 8 to 15: 80 16 to 31: 160 32 to 63: 320 64 to 127: 260]"
		if fmt.Sprint(got) != want || args[0].Others != 0 {
			t.Errorf("sizes %v and %d others, want %s", got, args[0].Others, want)
		}
		if v := args[1].Values; len(v) != 2 || v[0].Text != `"b"` || v[0].Durations.Count() != 500*times || v[0].Durations.Min() != 1010 || v[1].Durations.Max() != 1000*time.Nanosecond {
			t.Errorf("texts: %+v", v)
		}
		if v := args[2].Values; len(v) != maxExactValues || args[2].Others != times*1000-countCalls(v) {
			t.Errorf("%d of many texts, and %d calls with others", len(v), args[2].Others)
		}
	}
}

func countCalls(list []ValueCalls) (calls uint64) {
	for i := range list {
		calls += list[i].Durations.Count()
	}
	return calls
}
