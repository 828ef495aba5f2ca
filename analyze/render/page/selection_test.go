package page

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"utrace/analyze"
)

// TestSelect selects an area of a heatmap: the table, the slowest calls and the timeline follow, and
// so does a link to that state.
func TestSelect(t *testing.T) {
	b := newBrowser(t)
	path, d := demo(t)
	row := slices.IndexFunc(d.Rows, func(r analyze.Row) bool { return r.Name == "handle_request" })
	p := b.open(t, path, fmt.Sprintf("view=function&row=%d", row))
	box := eval[struct{ X, Y, W, H float64 }](p, `(() => { const r = document.querySelector(".heatmap .ground").getBoundingClientRect(); return {X: r.x, Y: r.y, W: r.width, H: r.height}; })()`)
	p.run(
		chromedp.MouseEvent("mousePressed", box.X+box.W*0.3, box.Y+1, chromedp.ButtonLeft, chromedp.ClickCount(1)),
		chromedp.MouseEvent("mouseMoved", box.X+box.W*0.6, box.Y+box.H-2, chromedp.ButtonLeft),
		chromedp.MouseEvent("mouseReleased", box.X+box.W*0.6, box.Y+box.H-2, chromedp.ButtonLeft, chromedp.ClickCount(1)),
	)
	if text := p.text(".chip"); !strings.HasPrefix(text, "Selected: calls that began") {
		t.Fatalf("nothing is selected: %q", text)
	}
	state := eval[struct{ From, To int64 }](p, `(() => { const s = new URLSearchParams(location.hash.slice(1)); return {From: Number(s.get("from")), To: Number(s.get("to"))}; })()`)
	p.click(`nav [data-view="functions"]`)
	got := map[string]string{}
	for _, r := range figures(p) {
		got[r.Name] = strings.ReplaceAll(r.Text["calls"], ",", "")
	}
	opts := analyze.Options{From: time.Duration(state.From), To: time.Duration(state.To)}
	want, err := analyze.Report(d.Trace.Files, opts)
	if err != nil || len(want.Rows) == 0 {
		t.Fatal(err, opts)
	}
	for i := range want.Rows {
		if n := fmt.Sprint(want.Rows[i].Durations.Count()); got[want.Rows[i].Name] != n {
			t.Errorf("%s: %s calls selected, want %s", want.Rows[i].Name, got[want.Rows[i].Name], n)
		}
	}
	if text := p.text(".chips"); !strings.Contains(text, "callers and callees are of all calls") {
		t.Errorf("the page does not say what it does not select: %s", text)
	}
	selected := 0
	p.click(`nav [data-view="function"]`)
	for _, calls := range p.attributes(".histogram [data-calls]", "data-calls") {
		n, _ := strconv.Atoi(strings.Fields(calls)[1]) // of all, and of those selected
		selected += n
	}
	if fmt.Sprint(selected) != got["handle_request"] {
		t.Errorf("%d selected calls in the distribution, want %s", selected, got["handle_request"])
	}
	p.click(`nav [data-view="functions"]`)
	fragment := eval[string](p, `location.hash.slice(1)`)
	p.load(fragment)
	again := map[string]string{}
	for _, r := range figures(p) {
		again[r.Name] = strings.ReplaceAll(r.Text["calls"], ",", "")
	}
	if !reflect.DeepEqual(got, again) {
		t.Errorf("with the link %s, the table is %v, want %v", fragment, again, got)
	}
	p.click("#clear")
	if p.count(".chip") != 0 || len(figures(p)) != len(d.Rows) || p.count(`[data-sort="total_ns"]`) != 1 {
		t.Error("the selection is not gone")
	}
	p.quiet()
}
