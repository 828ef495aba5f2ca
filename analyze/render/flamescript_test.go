package render

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"utrace/analyze"
)

// inBrowser loads a flame graph in a window of 900 pixels, runs a script in it, and returns what
// the picture has become.
func inBrowser(t *testing.T, picture []byte, script string) string {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("needs chromium (Debian: apt-get install chromium)")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "flame.svg")
	end := []byte("]]></script>")
	if bytes.Count(picture, end) != 1 {
		t.Fatal("the picture has not one script")
	}
	if err := os.WriteFile(path, bytes.Replace(picture, end, append([]byte(script+"\n"), end...), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+filepath.Join(dir, "profile"),
		"--window-size=900,300", "--dump-dom", "file://"+path)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// frame is a frame of a flame graph in a browser.
type frame struct {
	name           string
	found, visible bool
	width          float64 // in percent
}

func framesOf(t *testing.T, dom string) (frames []frame) {
	t.Helper()
	for _, m := range regexp.MustCompile(`<g class="([^"]*)" data-name="([^"]*)"([^>]*)>.*?<rect [^>]*width="([^"]*)%"`).FindAllStringSubmatch(dom, -1) {
		width, err := strconv.ParseFloat(m[4], 64)
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, frame{m[2], strings.Contains(m[1], "found"), !strings.Contains(m[3], "none"), width})
	}
	return frames
}

// TestFlameScript: the picture is as wide as the window. A click zooms, and a search marks frames
// and sums up their time, without counting calls below a match twice.
func TestFlameScript(t *testing.T) {
	node := func(name string, self time.Duration, children ...*analyze.Node) *analyze.Node {
		n := &analyze.Node{Function: &analyze.Function{Name: name}, Calls: 1, Self: self, Total: self, Children: children}
		for _, child := range children {
			n.Total += child.Total
		}
		return n
	}
	tree := &analyze.Tree{Threads: []analyze.ThreadTree{{Roots: []*analyze.Node{
		node("serve", 100, node("find_row", 100, node("find_key", 200)), node("send", 100)),
		node("idle", 500),
	}}}}
	var out bytes.Buffer
	if err := Flame(&out, tree); err != nil {
		t.Fatal(err)
	}

	dom := inBrowser(t, out.Bytes(), `search("^find")`)
	view := regexp.MustCompile(`<svg id="frames"[^>]* width="([\d.]+)"`).FindStringSubmatch(dom)
	if view == nil || !strings.Contains(dom, `width="100%" height=`) || strings.Contains(dom, `viewBox="`) {
		t.Fatalf("the picture does not fit a window: %.500s", dom)
	}
	if width, err := strconv.ParseFloat(view[1], 64); err != nil || width < 800 || width > 900-2*flameEdge {
		t.Errorf("frames are %s wide in a window of 900", view[1])
	}
	if want := "2 frames match ^find: 30.00% of the time"; !strings.Contains(dom, want) {
		t.Errorf("no %q", want)
	}
	want := []frame{
		{"all", false, true, 100}, {"serve", false, true, 50}, {"find_row", true, true, 30}, {"find_key", true, true, 20},
		{"send", false, true, 10}, {"idle", false, true, 50},
	}
	if got := framesOf(t, dom); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}

	dom = inBrowser(t, out.Bytes(), `frames.find((f) => f.name === "serve").g.dispatchEvent(new MouseEvent("click")); search("(")`)
	want = []frame{
		{"all", false, true, 100}, {"serve", false, true, 100}, {"find_row", false, true, 60}, {"find_key", false, true, 40},
		{"send", false, true, 20}, {"idle", false, false, 50},
	}
	if got := framesOf(t, dom); !slices.Equal(got, want) {
		t.Errorf("zoomed: %v, want %v", got, want)
	}
	if want := "0 frames match (:"; !strings.Contains(dom, want) { // no regular expression
		t.Errorf("no %q", want)
	}
}
