package page

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestKeyboard uses the page without a mouse.
func TestKeyboard(t *testing.T) {
	b := newBrowser(t)
	path, d := demo(t)
	p := b.open(t, path, "")
	current := func(want string) {
		t.Helper()
		if got := p.text("nav [aria-current]"); got != want {
			t.Errorf("the view is %q, want %q", got, want)
		}
	}
	current("Summary")
	p.keys("2")
	current("Functions")
	eval[bool](p, `document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "/", bubbles: true, cancelable: true}))`)
	p.keys("render")
	if n := p.count("tr[data-row]"); n != 2 {
		t.Errorf("%d functions match the search, want 2", n)
	}
	p.keys(kb.Escape)
	if n := p.count("tr[data-row]"); n != len(d.Rows) {
		t.Errorf("%d functions after the search, want %d", n, len(d.Rows))
	}
	p.keys(kb.Escape)
	p.keys("j")
	p.keys("j")
	if got := p.attributes(`tr[aria-selected="true"]`, "data-row"); len(got) != 1 || got[0] != "1" {
		t.Errorf("selected rows: %v", got)
	}
	p.keys(kb.Enter)
	current(d.Rows[1].Label)
	p.keys(kb.Escape)
	current("Functions")
	p.keys("4")
	current("Flame graph")
	p.run(chromedp.Focus(chromedp.CSS(`.frame[tabindex="0"]`)))
	p.keys(kb.ArrowUp)
	p.keys(kb.ArrowUp)
	p.keys(kb.Enter)
	if zoom := eval[*string](p, `new URLSearchParams(location.hash.slice(1)).get("zoom")`); zoom == nil || *zoom != "1" {
		t.Errorf("zoomed to frame %v, want 1", zoom)
	}
	themes := []string{"dark", "light", ""} // the first differs from the system's
	if eval[bool](p, `matchMedia("(prefers-color-scheme: dark)").matches`) {
		themes[0], themes[1] = themes[1], themes[0]
	}
	for _, theme := range themes {
		p.keys("t")
		if got := p.attributes("html", "data-theme"); got[0] != theme {
			t.Errorf("theme %q, want %q", got, theme)
		}
	}
	p.keys("?")
	if text := p.text("#help[open]"); !strings.Contains(text, "d3-hierarchy") || !strings.Contains(text, "Permission to use, copy, modify") {
		t.Errorf("licences: %q", text)
	}
	p.quiet()
}
