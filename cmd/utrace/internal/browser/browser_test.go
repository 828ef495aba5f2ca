package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/gdamore/tcell/v2"

	"utrace/analyze"
	"utrace/analyze/render"
	"utrace/format"
	"utrace/format/packed"
)

const testdata = "../../../../testdata"

// traceOf writes a trace from its text.
func traceOf(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace.arrow")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := format.ReadText(strings.NewReader(text), out); err != nil {
		t.Fatal(err)
	}
	return path
}

func traceFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testdata, "traces", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	return traceOf(t, string(text))
}

// driven is a browser on a simulated screen.
type driven struct {
	*browser
	t   *testing.T
	sim tcell.SimulationScreen
}

func drive(t *testing.T, path string, width, height int) *driven {
	t.Helper()
	sim := tcell.NewSimulationScreen("UTF-8")
	if err := sim.Init(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Fini)
	sim.SetSize(width, height)
	d := &driven{t: t, sim: sim, browser: newBrowser(sim, Config{
		Path: path, Options: analyze.Options{Open: packed.NewOpener(strings.NewReader("")).Open}, Sort: "total", Fields: render.DefaultFields(),
	})}
	d.open(tabFunctions)
	return d
}

// settle waits for all jobs, draws, and waits for those that drawing starts.
func (d *driven) settle() {
	d.t.Helper()
	for {
		d.draw()
		if len(d.jobs) == 0 {
			return
		}
		select {
		case result := <-d.results:
			result()
		case <-time.After(time.Minute):
			d.t.Fatalf("jobs do not end: %v", d.jobs)
		}
	}
}

// press presses keys: letters, or those of named.
func (d *driven) press(keys ...any) {
	d.t.Helper()
	for _, key := range keys {
		switch key := key.(type) {
		case string:
			for _, r := range key {
				d.handle(tcell.NewEventKey(tcell.KeyRune, r, tcell.ModNone))
			}
		case tcell.Key:
			d.handle(tcell.NewEventKey(key, 0, tcell.ModNone))
		}
	}
	d.settle()
}

// text returns the lines of the screen.
func (d *driven) text() []string {
	d.t.Helper()
	cells, width, height := d.sim.GetContents()
	lines := make([]string, height)
	for y := range lines {
		var line strings.Builder
		for x := 0; x < width; x++ {
			for _, r := range cells[y*width+x].Runes {
				line.WriteRune(r)
			}
		}
		lines[y] = strings.TrimRight(line.String(), " ")
	}
	return lines
}

// shows fails if a text is not on the screen.
func (d *driven) shows(texts ...string) {
	d.t.Helper()
	screen := strings.Join(d.text(), "\n")
	for _, text := range texts {
		if !strings.Contains(screen, text) {
			d.t.Errorf("no %q on the screen:\n%s", text, screen)
		}
	}
}

// cursor returns the line of the screen with the cursor.
func (d *driven) cursor() string {
	d.t.Helper()
	width, _ := d.sim.Size()
	l := d.tabs[d.current].layer()
	return d.text()[1+len(l.doc.head(width))+l.cursor-l.top]
}

// at fails if the cursor is not on a line with the text.
func (d *driven) at(text string) {
	d.t.Helper()
	if line := d.cursor(); !strings.Contains(line, text) {
		d.t.Errorf("the cursor is on %q, want %q:\n%s", line, text, strings.Join(d.text(), "\n"))
	}
}

// TestBeforeReading: the screen is there before the trace has been read, with the views and what is
// going on.
func TestBeforeReading(t *testing.T) {
	d := drive(t, traceFile(t, "nesting"), 80, 24)
	d.draw()
	d.shows("1 Functions", "2 Tree", "reading the trace", "reading functions")
	d.settle()
	d.shows("Total time", "main", "3.000  s", "trace.arrow")
}

func TestFunctions(t *testing.T) {
	d := drive(t, traceFile(t, "nesting"), 120, 40)
	d.settle()
	d.at("main")
	d.press("j")
	d.at(" a")
	d.press("G")
	d.at(" b")
	d.press("s") // by self time
	d.shows("sorted by self")
	d.at("main")
	d.press("j")
	d.at(" b")
	d.press(tcell.KeyEnter)
	d.shows("nsecs", "count: 2")
	d.press("q") // back
	d.at(" b")
	d.press("h")
	d.shows("Keys")
	d.press(tcell.KeyEscape, "i")
	d.shows("recorder    utrace test", "command     ./prog -x")
	if d.quit {
		t.Error("it has quit")
	}
	if d.press("q"); !d.quit {
		t.Error("it has not quit")
	}
}

// TestColors: the largest parts of self time are coloured as in the report, wherever the line is.
func TestColors(t *testing.T) {
	d := drive(t, traceFile(t, "nesting"), 120, 24)
	d.settle()
	colored := func() string {
		var text strings.Builder
		cells, width, _ := d.sim.GetContents()
		for x := range width {
			if color, _, _ := cells[3*width+x].Style.Decompose(); color == tcell.ColorMaroon {
				text.WriteString(string(cells[3*width+x].Runes))
			}
		}
		return text.String()
	}
	if got := colored(); got != "2.998  s" {
		t.Errorf("%q is red, want the self time of main", got)
	}
	d.press(tcell.KeyRight)
	if got := colored(); got != "2.998  s" {
		t.Errorf("sideways: %q is red", got)
	}
	d.press(tcell.KeyRight)
	if got := colored(); got != "" {
		t.Errorf("scrolled out: %q is red", got)
	}
}

// TestWarnings: the browser says that there are warnings, and where.
func TestWarnings(t *testing.T) {
	d := drive(t, traceFile(t, "lost"), 120, 60)
	d.settle()
	d.shows("5 shows them")
	d.press("5")
	d.shows("warning: 4 events were lost")
}

const wide = `meta {"recorder":"test","host":"h","kernel":"k","args":["utrace"],"cpus":1,"start":{"mono_ns":0,"wall_ns":0}}
module {"path":"/bin/app"}
func {"name":"root","module":0,"addr":1}
func {"name":"short","module":0,"addr":2}
func {"name":"long","module":0,"addr":3}
func {"name":"leaf","module":0,"addr":4}
process {"pid":1,"comm":"app"}
thread {"pid":1,"tid":1,"comm":"app"}
0 0 entry 0 sp=0x7000
10 0 entry 1 sp=0x6000
20 0 entry 3 sp=0x5000
21 0 return 3 sp=0x5000
30 0 return 1 sp=0x6000
40 0 entry 2 sp=0x6000
50 0 entry 3 sp=0x5000
8000 0 return 3 sp=0x5000
9000 0 return 2 sp=0x6000
10000 0 return 0 sp=0x7000
end {}
`

// TestTree: nodes fold, and a search opens the way to what it finds.
func TestTree(t *testing.T) {
	d := drive(t, traceOf(t, wide), 80, 24)
	d.press("2")
	d.shows("10.000 us 100.0%   - (1) root", "8.960 us  89.6%     - (1) long", "0.020 us   0.2%     + (1) short")
	if n := strings.Count(strings.Join(d.text(), "\n"), "leaf"); n != 1 {
		t.Errorf("%d leaves are visible, want that of the long call", n)
	}
	d.press("l")
	d.at("long")
	d.press("n") // the next sibling
	d.at("short")
	d.press("p")
	d.at("long")
	d.press("c")
	d.shows("+ (1) long")
	d.press(tcell.KeyEnter)
	d.shows("- (1) long")
	d.press("jju") // to short, and to its caller
	d.at("root")
	d.press("C")
	d.shows("+ (1) root", "1/1")
	d.press("/leaf", tcell.KeyEnter)
	d.at("leaf")
	d.shows("- (1) long", "3/4")
	d.press("n")
	d.at("leaf")
	d.shows("- (1) short", "5/5")
	d.press("N")
	d.shows("3/5")
	d.press("gE/nothing", tcell.KeyEnter)
	d.shows("not found: nothing")
}

// TestFlow: all lines can be reached, although only a page of them is kept, and they are those of
// the flow that analyze writes.
func TestFlow(t *testing.T) {
	path := filepath.Join(testdata, "traces", "demo.arrow")
	var out strings.Builder
	if _, err := render.Flow(&out, []string{path}, analyze.Options{}, render.DefaultFields()); err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")[1:]
	if len(want) < pageLines+100 {
		t.Fatalf("%d lines are one page", len(want))
	}
	d := drive(t, path, 200, 24)
	d.press("3")
	d.shows("# DURATION     TID     FUNCTION", fmt.Sprintf("1/%d", len(want)))
	check := func(line int) {
		t.Helper()
		d.shows(fmt.Sprintf("%d/%d", line+1, len(want)))
		if got := d.cursor(); got != want[line] {
			t.Errorf("line %d is %q, want %q", line, got, want[line])
		}
	}
	check(0)
	d.press("G")
	check(len(want) - 1)
	d.press("k")
	check(len(want) - 2)
	d.press("g")
	check(0)
	d.press(tcell.KeyPgDn)
	check(20)
	d.tabs[tabFlow].layer().move(pageLines)
	d.settle()
	check(pageLines)

	last := func(text string, before int) int {
		for before--; before >= 0 && !strings.Contains(want[before], text); before-- {
		}
		return before
	}
	d.press("G?read_from_disk", tcell.KeyEnter)
	at := last("read_from_disk", len(want)-1)
	check(at)
	d.press("n") // further back
	check(last("read_from_disk", at))
	d.press("N")
	check(at)
	d.press("g/} \\/\\* worker", tcell.KeyEnter)
	for i, line := range want {
		if strings.Contains(line, "} /* worker") {
			check(i)
			break
		}
	}
	d.press("/no such text", tcell.KeyEnter)
	d.shows("not found: no such text")
}

func TestSlowest(t *testing.T) {
	d := drive(t, traceFile(t, "nesting"), 100, 30)
	d.press("4")
	d.at("main()")
	d.press("j")
	d.at(" a()")
	d.press(tcell.KeyEnter)
	d.shows("# began", "| a() {", "|   b();", "} /* a */")
	d.press("/b", tcell.KeyEnter)
	d.press("q")
	d.at(" a()")
}

// TestEveryView: each view of each trace is drawn at every size, with the cursor on it. No
// character reaches the screen that a terminal would obey.
func TestEveryView(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testdata, "traces", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no traces", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		d := drive(t, traceFile(t, name), 80, 24)
		for _, keys := range []string{"1", "2E", "3", "4", "5", "h"} {
			d.press(keys)
			for _, size := range [][2]int{{1, 1}, {5, 3}, {20, 4}, {60, 20}, {300, 60}, {80, 24}} {
				d.sim.SetSize(size[0], size[1])
				d.handle(tcell.NewEventResize(size[0], size[1]))
				d.press("GkkgjjG", tcell.KeyRight, tcell.KeyLeft, tcell.KeyPgUp, tcell.KeyEnter, "q")
				if d.quit {
					d.quit = false
				}
				for _, line := range d.text() {
					for _, r := range line {
						if !unicode.IsPrint(r) {
							t.Fatalf("%s: %q in view %s", name, line, keys)
						}
					}
				}
			}
		}
	}
}

// TestHostileNames: names of the traced program are shown as text.
func TestHostileNames(t *testing.T) {
	hostile := `\u001b]0;pwned\u0007\u001b[2J\u009b31m\u202e漢字e\u0301`
	d := drive(t, traceOf(t, strings.NewReplacer(`"long"`, `"`+hostile+`"`, `"app"`, `"`+hostile+`"`).Replace(wide)), 200, 24)
	for _, keys := range []string{"1", "2E", "3", "4", "5"} {
		d.press(keys)
		screen := strings.Join(d.text(), "\n")
		if strings.ContainsAny(screen, "\x1b\x07\u009b\u202e") {
			t.Errorf("view %s: %q", keys, screen)
		}
		d.shows(`\x1b]0;pwned\a\x1b[2J\u009b31m\u202e`)
	}
}

// TestDamagedTrace: an error of a trace is shown, and the browser goes on.
func TestDamagedTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.arrow")
	data, err := os.ReadFile(traceFile(t, "nesting"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data[:len(data)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	d := drive(t, path, 150, 24)
	for _, keys := range []string{"1", "2", "3", "4", "5"} {
		d.press(keys)
		d.shows("error: ", "trace.arrow: nothing of this trace can be read")
	}
	d.press("/x", tcell.KeyEnter, "n", tcell.KeyEnter)
}

// TestRun: the loop draws, reads keys, and ends at Ctrl-C and at the end of its context.
func TestRun(t *testing.T) {
	for name, end := range map[string]func(tcell.SimulationScreen, context.CancelFunc){
		"Ctrl-C":  func(s tcell.SimulationScreen, _ context.CancelFunc) { s.InjectKey(tcell.KeyCtrlC, 0, tcell.ModCtrl) },
		"q":       func(s tcell.SimulationScreen, _ context.CancelFunc) { s.InjectKey(tcell.KeyRune, 'q', tcell.ModNone) },
		"context": func(_ tcell.SimulationScreen, cancel context.CancelFunc) { cancel() },
	} {
		d := drive(t, traceFile(t, "nesting"), 80, 24)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			d.run(ctx)
			close(done)
		}()
		end(d.sim, cancel)
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatalf("%s does not end it", name)
		}
		cancel()
	}
}
