package page

import (
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"utrace/analyze"
)

// TestClicks opens what can be clicked, and sorts by each column.
func TestClicks(t *testing.T) {
	b := newBrowser(t)
	path, d := demo(t)
	p := b.open(t, path, "view=functions")
	for _, key := range p.attributes("thead [data-sort]", "data-sort") {
		p.click(`[data-sort="` + key + `"]`)
		if key == "name" {
			continue
		}
		if p.attributes(`th:has([data-sort="`+key+`"])`, "aria-sort")[0] == "ascending" {
			p.click(`[data-sort="` + key + `"]`)
		}
		rows := figures(p)
		for i := 1; i < len(rows); i++ {
			a, _ := strconv.ParseFloat(strings.ReplaceAll(rows[i-1].Exact[key], ",", ""), 64)
			b, _ := strconv.ParseFloat(strings.ReplaceAll(rows[i].Exact[key], ",", ""), 64)
			if a < b {
				t.Errorf("by %s, %v comes before %v", key, a, b)
			}
		}
	}
	p.click("tr[data-row] th")
	if p.count(".histogram") != 1 || p.count(".heatmap") != 1 || p.count(".timeline") != 1 {
		t.Error("the function has no pictures")
	}
	for _, scale := range []string{"linear", "log"} {
		for _, axis := range []string{"durations", "calls"} {
			p.click(`[aria-label="` + axis + `"] [data-choice="` + scale + `"]`)
			if n := p.count(".histogram .bars rect"); n == 0 {
				t.Errorf("no bars with %s %s", scale, axis)
			}
		}
	}
	p.load("view=function&row=1")
	calls := p.attributes("[data-call]", "data-call")
	if len(calls) < 2 {
		t.Fatal(calls)
	}
	p.click(`[data-call="` + calls[1] + `"]`)
	slow := d.Details[d.Rows[1].Function].Slowest
	if text := strings.Join(p.list("h3"), "\n"); !strings.Contains(text, "Inside the call of "+analyze.FormatDuration(slow[1].Duration)) {
		t.Errorf("not inside the second slowest call: %s", text)
	}
	p.load("view=flame")
	all := p.count(".frame")
	p.click(".frame:nth-of-type(4)")
	if p.count(".frame.around") == 0 {
		t.Error("not zoomed")
	}
	p.click("#reset")
	if p.count(".frame") != all {
		t.Error("the zoom was not reset")
	}
	p.click(`[aria-label="callers"] [data-choice="1"]`)
	p.run(chromedp.SendKeys(chromedp.CSS("#search"), "hash"))
	if p.count(".frame.hit") == 0 {
		t.Error("the search has found no frame")
	}
	p.load("view=timeline")
	if n := p.count(".timeline .thread"); n != 3 {
		t.Errorf("%d threads, want 3", n)
	}
	p.quiet()
}
