package render

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"utrace/analyze"
)

// TestUncertain: in the trace, main and one call of f that returned are uncertain, and a call of g
// is certain. Views that leave out uncertain calls say how many they are. Other views mark them.
func TestUncertain(t *testing.T) {
	path := trace(t, "lost")
	paths := []string{path}
	const further = "1 further call is uncertain: events were lost meanwhile\n"
	slow, err := analyze.Slowest(paths, 10, analyze.Options{})
	if err != nil {
		t.Fatal(err)
	}
	maps, warnings, err := analyze.Heatmaps(paths, analyze.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(Words{}.Warnings(warnings), "no calls were recorded") {
		t.Errorf("%q", warnings)
	}
	for name, c := range map[string]struct {
		view func(io.Writer) error
		want []string
	}{
		"slowest": {func(w io.Writer) error { return Slowest(w, slow) }, []string{"# 1 slowest of 1 calls\n# 2 further calls are uncertain: events were lost meanwhile\n"}},
		"hist":    {func(w io.Writer) error { return Hist(w, report(t, path).Rows, "") }, []string{"\nFunction = main\n" + further, "\nFunction = f\n" + further, "count: 1\n"}},
		"heatmap": {func(w io.Writer) error { return Heatmap(w, maps) }, []string{"# " + further, "# a character is"}},
		"picture": {func(w io.Writer) error { return HeatmapSVG(w, maps) }, []string{">main: 0 complete calls by latency and when they began; 1 further call is uncertain:", ">g: 1 complete call by latency and when they began<"}},
		"flow": {func(w io.Writer) error { _, err := Flow(w, paths, analyze.Options{}, DefaultFields()); return err },
			[]string{"| } /* main: uncertain */\n", "|   f(); /* uncertain */\n", "|   g();\n", "|   } /* f: unwound */\n"}},
		"long calls": {func(w io.Writer) error {
			_, err := Flow(w, paths, analyze.Options{Min: 100}, DefaultFields())
			return err
		},
			[]string{"| } /* main: uncertain */\n", "|   f(); /* uncertain */\n"}},
	} {
		var out strings.Builder
		if err := c.view(&out); err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in\n%s", name, want, out.String())
			}
		}
	}
	var out bytes.Buffer
	if _, err := TraceEvent(&out, paths, analyze.Options{}, nil, &analyze.Trace{}); err != nil {
		t.Fatal(err)
	}
	var events struct {
		TraceEvents []struct {
			Name, Ph string
			Args     struct {
				End       string
				Uncertain bool
			}
		}
	}
	if err := json.Unmarshal(out.Bytes(), &events); err != nil {
		t.Fatal(err)
	}
	uncertain := map[string]int{}
	for _, e := range events.TraceEvents {
		if e.Args.Uncertain && e.Ph == "X" && e.Args.End == "" {
			uncertain[e.Name]++
		}
	}
	if len(uncertain) != 2 || uncertain["main"] != 1 || uncertain["f"] != 1 {
		t.Errorf("uncertain in the trace events: %v", uncertain)
	}
}
