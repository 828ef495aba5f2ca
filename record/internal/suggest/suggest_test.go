package suggest

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"count", "size", "sizes", "buffer"}
	for wrong, want := range map[string]string{
		"siez": " (did you mean size?)", "sizess": " (did you mean sizes?)", "cuont": " (did you mean count?)", "bufer": " (did you mean buffer?)",
		"nothing": "", "": "", "x": "",
	} {
		if got := Nearest(wrong, names); got != want {
			t.Errorf("%q: %q, want %q", wrong, got, want)
		}
	}
	if got := Nearest("a", nil); got != "" {
		t.Errorf("of no names: %q", got)
	}
}
