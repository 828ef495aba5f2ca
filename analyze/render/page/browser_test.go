package page

import (
	"context"
	"encoding/json"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is a Chromium that tests open pages in.
type browser struct{ ctx context.Context }

// newBrowser starts Chromium. It skips the test if there is none.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("needs Chromium, which opens the pages")
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.WindowSize(1280, 800))
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return &browser{ctx}
}

// tab is an open page.
type tab struct {
	t    *testing.T
	ctx  context.Context
	path string

	mu       sync.Mutex
	problems []string // messages of the console, exceptions, and requests that are not for the page
}

// open opens a page, whose fragment is its state, and waits until it is drawn.
func (b *browser) open(t *testing.T, path, fragment string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	p := &tab{t: t, ctx: ctx, path: path}
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		t.Fatal(err)
	}
	p.run(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, network.Enable, network.EnableParams{})
		if err == nil {
			_, err = cdp.Call(ctx, target, log.Enable, cdp.Empty{})
		}
		return err
	}))
	p.load(fragment)
	return p
}

func (p *tab) listen(event any) {
	problem := ""
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		problem = "console: " + string(e.Type)
		for _, arg := range e.Args {
			problem += " " + string(arg.Value) + arg.Description
		}
	case *runtime.EventExceptionThrown:
		problem = "exception: " + e.ExceptionDetails.Text
	case *log.EventEntryAdded:
		problem = "log: " + e.Entry.Text
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, p.address()) && e.Request.URL != "about:blank" {
			problem = "request of " + e.Request.URL
		}
	}
	if problem != "" {
		p.mu.Lock()
		p.problems = append(p.problems, problem)
		p.mu.Unlock()
	}
}

func (p *tab) address() string { return (&url.URL{Scheme: "file", Path: p.path}).String() }

// load opens the page anew, with another state.
func (p *tab) load(fragment string) {
	p.t.Helper()
	p.run(chromedp.Navigate("about:blank"), chromedp.Navigate(p.address()+"#"+fragment), chromedp.WaitReady(chromedp.CSS("html[data-ready]")))
}

func (p *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// eval returns the value of an expression, or what it promises.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatal(err)
	}
	return value
}

// click clicks the first element that matches.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.run(chromedp.Click(chromedp.CSS(selector)))
}

// keys types.
func (p *tab) keys(text string) {
	p.t.Helper()
	p.run(chromedp.KeyEvent(text))
}

// text is the text of the first element that matches, "" if none does.
func (p *tab) text(selector string) string {
	p.t.Helper()
	return eval[string](p, `document.querySelector(`+quote(selector)+`)?.textContent ?? ""`)
}

// count is the number of elements that match.
func (p *tab) count(selector string) int {
	p.t.Helper()
	return eval[int](p, `document.querySelectorAll(`+quote(selector)+`).length`)
}

// list is the texts of the elements that match.
func (p *tab) list(selector string) []string {
	p.t.Helper()
	return eval[[]string](p, `[...document.querySelectorAll(`+quote(selector)+`)].map((e) => e.textContent)`)
}

// attributes are those of the elements that match.
func (p *tab) attributes(selector, name string) []string {
	p.t.Helper()
	return eval[[]string](p, `[...document.querySelectorAll(`+quote(selector)+`)].map((e) => e.getAttribute(`+quote(name)+`))`)
}

// quote writes a text as a literal of JavaScript.
func quote(text string) string {
	quoted, _ := json.Marshal(text)
	return string(quoted)
}

// quiet checks that nothing went wrong in the page, and that nothing was loaded.
func (p *tab) quiet() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, problem := range p.problems {
		p.t.Error(filepath.Base(p.path)+":", problem)
	}
}
