package analyze

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"utrace/format"
)

// readStacks returns a trace with stacks, in text.
func readStacks(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("../testdata/traces/stacks.txt")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// writeText writes a trace in text as a file.
func writeText(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := format.ReadText(strings.NewReader(text), f); err != nil {
		t.Fatal(err)
	}
}

// profileOf returns the samples of a trace in text: by their path, the innermost function first,
// calls and self time.
func profileOf(t *testing.T, text string, opts Options) map[string][2]int64 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace.arrow")
	writeText(t, path, text)
	p, _, err := Profile([]string{path}, opts)
	if err != nil {
		t.Fatal(err)
	}
	samples := map[string][2]int64{}
	for _, s := range p.Sample {
		var names []string
		for _, l := range s.Location {
			names = append(names, l.Line[0].Function.Name)
		}
		key := strings.Join(names, " < ")
		samples[key] = [2]int64{samples[key][0] + s.Value[0], samples[key][1] + s.Value[1]}
	}
	return samples
}

func TestCallersInProfile(t *testing.T) {
	text := readStacks(t)
	const work = "work < one < main"
	want := map[string][2]int64{
		work:                       {1, 900 - 100 - 100 - 100 - 100},
		"leaf < between < " + work: {3, 300}, // through the trampoline, and by the direct caller alone
		"work < between < " + work: {1, 100 - 10},
		"leaf < between < work < between < " + work: {1, 10},
		"leaf": {1, 50},  // no stack
		"work": {1, 100}, // one that is not defined
	}
	got := profileOf(t, text, Options{})
	if !maps.Equal(got, want) {
		t.Errorf("samples %v, want %v", got, want)
	}
	// Without stacks the same calls have the same figures.
	var sum, plain [2]int64
	for v := range maps.Values(got) {
		sum[0], sum[1] = sum[0]+v[0], sum[1]+v[1]
	}
	without := regexp.MustCompile(`(?m) value=\d+$`).ReplaceAllString(text, "")
	for v := range maps.Values(profileOf(t, without, Options{})) {
		plain[0], plain[1] = plain[0]+v[0], plain[1]+v[1]
	}
	if sum != plain {
		t.Errorf("calls and ns %v, without stacks %v", sum, plain)
	}
}

// The callers are also there if calls are grouped by a value.
func TestCallersOfGroups(t *testing.T) {
	text := readStacks(t)
	for _, by := range []string{"tid", "n", "nothing"} {
		changed := strings.Replace(text, `"line":1}`, `"line":1,"args":[{"name":"n","type":"u32"}]}`, 1)
		changed = strings.Replace(changed, "800 0 entry 0 sp=0xf00 value=4", "800 0 entry 0 sp=0xf00 value=4 args=[7]", 1)
		if got, want := profileOf(t, changed, Options{By: by}), profileOf(t, changed, Options{}); !maps.Equal(got, want) {
			t.Errorf("by %s: samples %v, want %v", by, got, want)
		}
	}
	// Between two calls they have the value of the outer one, so that a tree shows no other value.
	path := filepath.Join(t.TempDir(), "trace.arrow")
	writeText(t, path, text)
	tree, err := CallTree([]string{path}, Options{By: "tid"})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	var walk func(list []*Node, path string)
	walk = func(list []*Node, path string) {
		for _, n := range list {
			path := path + " " + n.Function.Name + n.Value.Text
			if len(n.Children) == 0 {
				paths = append(paths, path)
			}
			walk(n.Children, path)
		}
	}
	walk(tree.Threads[0].Roots, "")
	if want := " main one work10 between10 work10 between10 leaf10"; !slices.Contains(paths, want) {
		t.Errorf("%q is not in %q", want, paths)
	}
}

// TestProfileOfProgram: pprof takes the first mapping for the program, and that is the file of the
// traced functions.
func TestProfileOfProgram(t *testing.T) {
	text := readStacks(t)
	changed := strings.Replace(text, `{"func":2,"addr":5010,"line":11}`, `{"func":5,"addr":110}`, 1) // start calls one
	path := filepath.Join(t.TempDir(), "trace.arrow")
	writeText(t, path, changed)
	p, _, err := Profile([]string{path}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Mapping) != 2 || p.Mapping[0].File != "/bin/prog" {
		t.Errorf("mappings %v", p.Mapping)
	}
	if !slices.ContainsFunc(p.Function, func(f *profile.Function) bool { return f.Name == "start" }) {
		t.Error("start is not there")
	}
}
