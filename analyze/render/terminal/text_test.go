package terminal

import (
	"slices"
	"testing"
	"unicode/utf8"
)

// TestWidth: terminals give wide characters two columns, and none to combining ones.
func TestWidth(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "漢字": 4, "e\u0301a": 2, "…": 1, "한국": 4, "▁█": 2} {
		if got := Width(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestShorten(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"handle_request", 14, "handle_request"},
		{"handle_request", 13, "handle…equest"},
		{"handle_request", 4, "h…st"},
		{"handle_request", 1, "…"},
		{"handle_request", 0, ""},
		{"漢字漢字漢字", 8, "漢…漢字"}, // half of a character is left out
		{"e\u0301e\u0301e\u0301e\u0301", 3, "e\u0301…e\u0301"},
	} {
		if got := Shorten(c.text, c.width); got != c.want {
			t.Errorf("%q to %d: %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

func FuzzShorten(f *testing.F) {
	f.Add("handle_request", 5)
	f.Add("漢e\u0301字\U0001f469", 3)
	f.Fuzz(func(t *testing.T, text string, width int) {
		if !utf8.ValidString(text) || width < 0 || width > 100 {
			return
		}
		if got := Shorten(text, width); Width(got) > width {
			t.Errorf("%q to %d: %q is %d wide", text, width, got, Width(got))
		}
		if got := Cut(text, width); Width(got) > width {
			t.Errorf("%q cut to %d: %q is %d wide", text, width, got, Width(got))
		}
	})
}

// TestFit: columns go by rank, and no more of them than needed.
func TestFit(t *testing.T) {
	columns := []Column{{Width: 10, Rank: 2}, {Width: 5, Rank: 0}, {Width: 10, Rank: 2}, {Width: 10, Rank: 1}}
	for room, want := range map[int][]bool{
		35: {true, true, true, true},
		34: {true, true, false, true},
		24: {false, true, false, true},
		14: {false, true, false, false},
		4:  {false, true, false, false},
	} {
		if got := Fit(columns, room); !slices.Equal(got, want) {
			t.Errorf("room of %d: %v, want %v", room, got, want)
		}
	}
}

func TestPaint(t *testing.T) {
	if got := (Screen{}).Paint("x", Bad); got != "x" {
		t.Errorf("without colours: %q", got)
	}
	if got := (Screen{Color: true}).Paint("x", Bad); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("%q", got)
	}
	if got := (Screen{Color: true}).Paint("x", Plain); got != "x" {
		t.Errorf("plain: %q", got)
	}
}
