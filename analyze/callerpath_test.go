package analyze

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"utrace/format"
)

func TestCallerPaths(t *testing.T) {
	var paths callerPaths
	main := paths.of(nil, 0, "main")
	work := paths.of(main, 1, "a;b")
	if got := paths.of(work, 2, "leaf").text; got != "main;a:b;leaf" {
		t.Error(got)
	}
	if paths.of(main, 1, "a;b") != work {
		t.Error("a path is made twice")
	}
	deep := main
	for range 10_000 { // recursion
		deep = paths.of(deep, 3, "recursive")
		if len(deep.text) > maxPathBytes {
			t.Fatalf("a path of %d bytes", len(deep.text))
		}
	}
	if !strings.HasPrefix(deep.text, truncatedName+";recursive;") {
		t.Errorf("%.40s", deep.text)
	}
	long := strings.Repeat("x", maxPathBytes)
	for i := range 3 * maxPathsBytes / maxPathBytes {
		paths.of(nil, format.FuncID(10+i), long)
	}
	if paths.bytes > maxPathsBytes {
		t.Errorf("%d bytes of paths are remembered", paths.bytes)
	}
}

// Path, Failed, Elapsed and what calls of a recording have in common.
func TestCallFacts(t *testing.T) {
	trace := fromWholeText(t, `
meta {"host":"box","labels":{"version":"2"},"start":{"mono_ns":5,"wall_ns":1700000000000000000}}
module {"path":"/bin/app"}
func {"name":"main","module":0,"addr":1}
func {"name":"read","module":0,"addr":2,"results":[{"name":"ret","type":"s32"}]}
func {"name":"point","module":0,"addr":3,"hit":true}
process {"pid":1,"comm":"app","args":["app","-x"]}
thread {"pid":1,"tid":1}
1000 0 entry 0 sp=0x7000
2000 0 entry 1 sp=0x6000
2500 0 hit 2 sp=0x5000
3000 0 return 1 sp=0x6000 args=[-1]
3000 0 entry 1 sp=0x6000
4000 0 return 1 sp=0x6000 args=[1]
5000 0 return 0 sp=0x7000
`)
	var got []string
	recordings := map[string]bool{}
	if _, err := EachCall([]string{trace}, Options{}, func(c *Call) error {
		got = append(got, fmt.Sprint(c.Path, " ", c.Failed, " ", int64(c.Elapsed), " ", c.Command, " ", c.Labels["version"]))
		recordings[c.Recording] = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := "main;read;point false 0 app -x 2|main;read true 1000 app -x 2|main;read false 1000 app -x 2|main false 4000 app -x 2"
	if strings.Join(got, "|") != want {
		t.Errorf("got %q", got)
	}
	if len(recordings) != 1 || !recordings["20231114T221320Z-"+recordingID(&format.Meta{Host: "box", Start: format.Anchor{MonoNs: 5, WallNs: 1700000000000000000}})[17:]] {
		t.Errorf("recordings %v", recordings)
	}
}

// The middle of a bucket is what quantiles of all its durations are.
func TestBucketMiddle(t *testing.T) {
	for _, ns := range []int64{-1, 0, 1, 63, 64, 127, 128, 129, 1000, 123456789, 1 << 40, 1<<63 - 1} {
		var h Histogram
		h.Add(0)
		for range 3 {
			h.Add(time.Duration(ns))
		}
		h.Add(1<<63 - 1)
		if got := BucketMiddle(time.Duration(ns)); got != h.Rank(3) {
			t.Errorf("%d: %d, want %d", ns, got, h.Rank(3))
		}
	}
}
