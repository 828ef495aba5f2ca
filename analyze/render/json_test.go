package render

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"utrace/analyze"
)

// TestJSONAdmits: JSON also has the notes of the header and the table.
func TestJSONAdmits(t *testing.T) {
	r := report(t, trace(t, "dropped"))
	r.Trace.LeftOut, r.Trace.Probes = 4, analyze.ProbeCost{Measured: true, Hits: 9, Dropped: 7, UnmeasuredFuncs: 3}
	var out bytes.Buffer
	if err := JSON(&out, r, Words{}); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Trace struct {
			LeftOut    int `json:"left_out"`
			Conditions []string
			Probes     struct {
				HitsNs    int `json:"hits_ns"`
				DroppedNs int `json:"dropped_ns"`
				Unknown   int `json:"unknown_functions"`
			}
		}
		Functions []struct {
			Name       string
			Incomplete int `json:"dropped_incomplete"`
		}
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	conditions := []string{"handle if duration > 5us", "inner if duration > 10us", "query if duration > 1us"}
	if tr := &got.Trace; tr.LeftOut != 4 || !slices.Equal(tr.Conditions, conditions) || tr.Probes.HitsNs != 9 || tr.Probes.DroppedNs != 7 || tr.Probes.Unknown != 3 {
		t.Errorf("%+v", got.Trace)
	}
	for _, f := range got.Functions {
		if want := map[string]int{"handle": 1}[f.Name]; f.Incomplete != want {
			t.Errorf("%s: %d incomplete dropped calls, want %d", f.Name, f.Incomplete, want)
		}
	}
}
