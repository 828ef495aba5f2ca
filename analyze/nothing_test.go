package analyze

import (
	"strings"
	"testing"
)

// TestNothingOfUncalledFunction: a function that was probed and not called is not called unknown,
// and a call without a return is not taken for none.
func TestNothingOfUncalledFunction(t *testing.T) {
	path := fromText(t, `
module {"path": "/bin/sh"}
func {"name": "open", "module": 0, "addr": 1}
func {"name": "never", "module": 0, "addr": 2}
process {"pid": 100, "comm": "sh"}
process {"pid": 101, "comm": "idle"}
thread {"pid": 100, "tid": 100, "comm": "sh"}
10 0 entry 0 sp=0x1000
end {}`)
	for name, want := range map[string]string{
		"nev*": "no call matches what was selected: these functions were probed, but not called: never",
		"open": "no call matches what was selected: none of the selected calls is complete",
		"":     "no complete calls were recorded",
	} {
		opts := Options{}
		if name != "" {
			p, err := ParsePattern(name)
			if err != nil {
				t.Fatal(err)
			}
			opts.Function = p
		}
		s, err := Slowest([]string{path}, 3, opts)
		if err != nil || len(s.Warnings) == 0 || s.Warnings[len(s.Warnings)-1].Text != want {
			t.Errorf("%s: %v, %v, want %q", name, err, s.Warnings, want)
		}
	}
	s, err := Slowest([]string{path}, 3, Options{PIDs: []int{101}})
	if err != nil || len(s.Warnings) == 0 || !strings.HasSuffix(s.Warnings[0].Text, "the processes with calls are 100 sh") {
		t.Errorf("%v, %v", err, s.Warnings)
	}
}
