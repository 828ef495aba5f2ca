package format

import (
	"bytes"
	"strings"
	"testing"
)

func TestTextRoundTrip(t *testing.T) {
	once := toText(t, fromText(t, example))
	if twice := toText(t, fromText(t, once)); once != twice {
		t.Errorf("text changed on its way through a trace:\n%s\n%s", once, twice)
	}
	for _, want := range []string{
		"100 0 entry 0 sp=0x7ffe00001000\n150 0 hit 2",
		"300 0 return 1 sp=0x7ffe00000f00 value=0xffffffffffffffff cpu=1\n120 1 entry 1 sp=0x7f0000001000\n",
		"20000000000 1 return 1 sp=0x7f0000001000 value=0x7\n20000000100 1 entry 1 sp=0x55d000000000\n20000000200 1 entry 1 value=0x2\n20000000300 1 exit 0 value=0x1 args=[\"ls\"]\n",
		"220 0 sched-out 0 value=0x1 cpu=1\n240 0 wakeup 0 value=0x10000000b\n250 0 sched-in 0 cpu=1\n260 0 sample 0 value=0x2 cpu=1\n",
		`stack {"func":0,"addr":4105,"line":4}` + "\n" + `stack {"func":1,"addr":4120,"outer":1}` + "\n",
		`"events":9,"entries":6,"sched":3`,
		`"samples":1`,
	} {
		if !strings.Contains(once, want) {
			t.Errorf("%q is not in:\n%s", want, once)
		}
	}
}

// FuzzText parses damaged text.
func FuzzText(f *testing.F) {
	f.Add(example)
	f.Fuzz(func(t *testing.T, text string) {
		out := &memFile{}
		if ReadText(strings.NewReader(text), out) != nil {
			return
		}
		if out.Len() == 0 { // nothing but meta
			return
		}
		r, err := NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil {
			t.Fatal(err)
		}
		err = WriteText(&strings.Builder{}, r)
		if err != nil && !strings.Contains(err.Error(), "definition of a stack") { // other tests need text with bad stacks
			t.Fatal(err)
		}
	})
}
