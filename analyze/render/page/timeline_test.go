package page

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"utrace/analyze"
)

// TestWaits: the timeline has waits by kind, and who ended them.
func TestWaits(t *testing.T) {
	b := newBrowser(t)
	text, err := os.ReadFile("../../../testdata/traces/sched.txt")
	if err != nil {
		t.Fatal(err)
	}
	d := digestOf(t, analyze.Options{}, writeText(t, filepath.Join(t.TempDir(), "sched"), string(text)))
	p := b.open(t, write(t, &Input{Digest: d}), "view=timeline")
	for _, kind := range []string{"blocked", "runnable", "unknown"} {
		if p.count(".timeline .wait."+kind) == 0 {
			t.Errorf("no wait that is %s", kind)
		}
	}
	if p.count(".arrows .head") == 0 {
		t.Error("no arrow from a waker")
	}
	p.load("view=flame&mode=off")
	off := int64(0)
	var add func([]*analyze.Node)
	add = func(nodes []*analyze.Node) {
		for _, n := range nodes {
			off += int64(n.SelfWaits.Blocked + n.SelfWaits.Runnable)
			add(n.Children)
		}
	}
	add(d.Roots)
	if got := p.attributes(".frame.all", "data-value"); len(got) != 1 || got[0] != fmt.Sprint(off) || off == 0 {
		t.Errorf("%v off the processor, want %d", got, off)
	}
	p.quiet()
}
