package browser

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gdamore/tcell/v2"

	"utrace/analyze"
	"utrace/analyze/render"
)

// Config says what is shown.
type Config struct {
	Path    string
	Options analyze.Options // Open must be set
	Sort    analyze.SortKey // of the functions
	Fields  render.Fields   // of the flow
	Suspend func()          // stops this process, as Ctrl-Z does; nil if that is not possible
}

// Numbers of the tabs.
const (
	tabFunctions = iota
	tabTree
	tabFlow
	tabSlowest
	tabFacts
)

// browser is what is on the screen. All of it belongs to the goroutine of run.
type browser struct {
	cfg     Config
	screen  tcell.Screen
	tabs    []*tab
	current int
	pattern *regexp.Regexp // of the last search
	forward bool
	prompt  *prompt // nil if no search is being typed
	message string  // until the next key
	jobs    []*job
	results chan func() // of jobs
	quit    bool
}

// prompt is a search that is being typed.
type prompt struct {
	text    string
	forward bool
}

// Run shows a trace until the user quits, or ctx ends. It fails for a trace that cannot be opened,
// before it touches the terminal.
func Run(ctx context.Context, cfg Config) error {
	r, err := cfg.Options.Open(cfg.Path)
	if err != nil {
		return err
	}
	r.Close()
	screen, err := tcell.NewScreen()
	if err == nil {
		err = screen.Init()
	}
	if err != nil {
		return fmt.Errorf("view needs a terminal: %w", err)
	}
	defer screen.Fini()
	newBrowser(screen, cfg).run(ctx)
	return nil
}

func newBrowser(screen tcell.Screen, cfg Config) *browser {
	b := &browser{cfg: cfg, screen: screen, results: make(chan func(), 16), forward: true}
	for _, name := range []string{"Functions", "Tree", "Flow", "Slowest", "Info"} {
		b.tabs = append(b.tabs, &tab{name: name})
	}
	return b
}

// progressInterval is how often the progress of jobs is drawn.
const progressInterval = 100 * time.Millisecond

// run draws, and handles events one by one, until the user quits or ctx ends.
func (b *browser) run(ctx context.Context) {
	events, done := make(chan tcell.Event, 16), make(chan struct{})
	defer close(done)
	go b.screen.ChannelEvents(events, done)
	tick := time.NewTicker(progressInterval)
	defer tick.Stop()
	b.open(tabFunctions)
	for !b.quit {
		b.draw()
		progress := tick.C
		if len(b.jobs) == 0 {
			progress = nil
		}
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if !ok { // the terminal is gone
				return
			}
			b.handle(e)
		case result := <-b.results:
			result()
		case <-progress:
		}
	}
}

func (b *browser) handle(e tcell.Event) {
	switch e := e.(type) {
	case *tcell.EventResize:
		b.screen.Sync()
	case *tcell.EventKey:
		b.message = ""
		if b.prompt != nil {
			b.edit(e)
		} else {
			b.key(e)
		}
	}
}

// start runs a job in the background. What run returns is called here when it is done.
func (b *browser) start(name string, run func(*job) (done func())) *job {
	j := &job{name: name}
	j.ctx, j.stop = context.WithCancel(context.Background())
	b.jobs = append(b.jobs, j)
	go func() {
		done := run(j)
		b.results <- func() {
			j.stop()
			b.jobs = slices.DeleteFunc(b.jobs, func(other *job) bool { return other == j })
			done()
			for _, t := range b.tabs {
				if len(t.layers) > 0 {
					t.layer().settle()
				}
			}
		}
	}()
	return j
}

// open shows a tab, and reads what it needs the first time.
func (b *browser) open(n int) {
	b.current = n
	t := b.tabs[n]
	if len(t.layers) > 0 {
		return
	}
	t.show(newText("", "reading the trace"))
	switch n {
	case tabFunctions: // and tabFacts
		b.readReport()
	case tabTree:
		b.start("summing up call paths", func(j *job) func() {
			r, err := analyze.CallTree([]string{b.cfg.Path}, j.options(b.cfg.Options))
			return func() {
				if err != nil {
					b.failTab(t, err)
				} else {
					t.show(orEmpty(newTree(r)))
				}
			}
		})
	case tabFlow:
		t.show(newFlow(b.cfg.Path, b.cfg.Options, b.cfg.Fields, b.start, func(err error) { b.failTab(t, err) }))
	case tabSlowest:
		b.start("looking for slow calls", func(j *job) func() {
			r, err := analyze.Slowest([]string{b.cfg.Path}, maxSlowest, j.options(b.cfg.Options))
			return func() {
				if err != nil {
					b.failTab(t, err)
				} else {
					t.show(orEmpty(&slowest{r.Calls}))
				}
			}
		})
	}
}

// readReport reads what the functions and the facts are from.
func (b *browser) readReport() {
	functionsTab, factsTab := b.tabs[tabFunctions], b.tabs[tabFacts]
	factsTab.show(newText("", "reading the trace"))
	b.start("reading functions", func(j *job) func() {
		r, err := analyze.Report([]string{b.cfg.Path}, j.options(b.cfg.Options))
		return func() {
			if err != nil {
				b.failTab(functionsTab, err)
				b.failTab(factsTab, err)
				return
			}
			r.Sort(b.cfg.Sort)
			functionsTab.show(orEmpty(&functions{result: r, sort: b.cfg.Sort}))
			factsTab.show(facts(r))
			if n := len(r.Warnings); n > 0 {
				b.message = analyze.Plural(uint64(n), "warning", "warnings") + ": 5 shows them"
			}
		}
	})
}

// failTab shows an error instead of a document.
func (b *browser) failTab(t *tab, err error) {
	t.show(newText("", "error: "+analyze.Printable(err.Error())))
}

// orEmpty replaces a document without lines.
func orEmpty(d document) document {
	if d.length() == 0 {
		return newText("", "no calls")
	}
	return d
}

// facts is the document about the recording, with all warnings.
func facts(r *analyze.Result) document {
	var out strings.Builder
	if err := render.Info(&out, &r.Trace); err != nil {
		return newText("", err.Error())
	}
	for i := range r.Warnings {
		fmt.Fprintf(&out, "\nwarning: %s\n", r.Warnings[i])
	}
	return newText("", out.String())
}

// lines is how many lines of the document are visible.
func (b *browser) lines() int {
	width, height := b.screen.Size()
	return height - 2 - len(b.tabs[b.current].layer().doc.head(width))
}
