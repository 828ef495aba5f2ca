package page

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"utrace/analyze"
)

// hostile is a trace whose names try to be markup, to run, and to be unreadable.
func hostile() string {
	name := func(text string) string {
		quoted, _ := json.Marshal(text)
		return string(quoted)
	}
	const markup = `</script><img src=x onerror="window.hacked=1"><b>`
	return `meta {"recorder":"t","host":` + name(markup) + `,"kernel":` + name(markup) + `,"arch":"amd64","args":["utrace"],"command":[` + name(markup) + `],"cpus":2,"ring_bytes":4096,"sched":true,"start":{"mono_ns":0,"wall_ns":1700000000000000000}}
module {"path":` + name("/bin/"+markup) + `,"segments":[{"addr":4096,"file_off":4096,"size":65536}]}
module {"path":"/lib/other.so","segments":[{"addr":4096,"file_off":4096,"size":65536}]}
func {"name":` + name(markup) + `,"module":0,"addr":4096,"args":[{"name":` + name(markup) + `,"type":"str"}]}
func {"name":` + name("javascript:alert(1)//\u202egnol\u0000\u001b[31m") + `,"module":0,"addr":4160}
func {"name":` + name(strings.Repeat("very_long_name::", 250)) + `,"module":1,"addr":4160}
func {"name":"__proto__","module":1,"addr":4170}
process {"pid":1,"comm":` + name(markup) + `,"args":[` + name(markup) + `]}
thread {"pid":1,"tid":1,"comm":` + name(markup) + `}
10 0 entry 0 sp=0x7000 args=[` + name(markup) + `]
20 0 entry 1 sp=0x6f00
30 0 entry 2 sp=0x6e00
35 0 entry 3 sp=0x6d00
37 0 return 3 sp=0x6d00
40 0 return 2 sp=0x6e00
50 0 return 1 sp=0x6f00
60 0 return 0 sp=0x7000
end {"stop":{"mono_ns":100,"wall_ns":1700000000000000100},"reason":` + name(markup) + `}
`
}

// TestHostileNames: names are text in all views, and fit.
func TestHostileNames(t *testing.T) {
	b := newBrowser(t)
	path := writeText(t, filepath.Join(t.TempDir(), "<img src=x onerror=alert(1)>"), hostile())
	for _, opts := range []analyze.Options{{}, {By: "</script><img src=x onerror=\"window.hacked=1\"><b>"}} {
		d := digestOf(t, opts, path)
		pages := []string{write(t, &Input{Digest: d, Version: "<b>"}), writeDiff(t, path, path)}
		for _, page := range pages {
			p := b.open(t, page, "")
			for _, view := range []string{"summary", "functions", "flame", "timeline", "function&row=0", "function&row=1", "functions&q=img", "functions&module=%3Cimg%20src=x%3E", "zoo&row=999&sort=__proto__&zoom=1e9", "function&row=0.5&call=7.9", "function&row=-3&t1=NaN"} {
				p.load("view=" + view)
				if eval[bool](p, `"hacked" in window`) || p.count("img, b, #app script") > 0 {
					t.Errorf("%s: a name is markup", view)
				}
				if eval[bool](p, `document.documentElement.scrollWidth > innerWidth`) {
					t.Errorf("%s: the page is wider than the window", view)
				}
			}
			p.load("view=functions")
			names := strings.Join(p.list("tr[data-row] th a"), "\n")
			for i := range d.Rows {
				if !strings.Contains(names, d.Rows[i].Label) {
					t.Errorf("no function %q in %q", d.Rows[i].Label, names)
				}
			}
			p.quiet()
		}
	}
}

// TestNoNetwork: the policy of a page forbids requests, and programs that are not its own.
func TestNoNetwork(t *testing.T) {
	b := newBrowser(t)
	path, _ := demo(t)
	p := b.open(t, path, "")
	blocked := eval[[]string](p, `new Promise(async (done) => {
		const list = [];
		document.addEventListener("securitypolicyviolation", (e) => list.push(e.effectiveDirective));
		await fetch("http://127.0.0.1:1/").catch(() => {});
		const image = new Image();
		image.src = "http://127.0.0.1:1/a.png";
		const script = document.createElement("script");
		script.textContent = "window.ran = 1";
		document.body.append(script);
		setTimeout(() => done([...list, window.ran ?? "not run"]), 300);
	})`)
	slices.Sort(blocked)
	if want := []string{"connect-src", "img-src", "not run", "script-src-elem"}; !slices.Equal(blocked, want) {
		t.Errorf("blocked: %v, want %v", blocked, want)
	}
}
