package format

import (
	"fmt"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	src := fromText(t, example)
	r, err := NewReader(src, src.Size())
	if err != nil {
		t.Fatal(err)
	}
	if err := Validate(r); err != nil {
		t.Error(err)
	}
	for name, change := range map[string][2]string{
		"unknown function":  {"entry 0 ", "entry 7 "},
		"hit of a function": {"hit 2", "hit 1"},
		"unknown stack":     {"cpu=1\n210", "cpu=1 value=3\n210"},
		"value of a hit":    {"hit 2 sp=0x7ffe00001000", "hit 2 sp=0x7ffe00001000 value=1"},
		"stack too deep":    {"stack {", chain(MaxStack+1) + "stack {"},
		"unknown process":   {`thread {"pid":10,"tid":11`, `thread {"pid":12,"tid":11`},
		"unit of no group":  {`"cgroup":"/system.slice/web.service",`, ``},
		"loss of nothing":   {`"entries":3,"returns":2,"sched":4}`, `"entries":0,"returns":0}`},
		"switch of a call":  {"sched-out 0 ", "sched-out 1 "},
		"stack of a switch": {"250 0 sched-in 0 ", "250 0 sched-in 0 sp=0x7ffe00000f00 "},
		"value of a switch": {"250 0 sched-in 0 ", "250 0 sched-in 0 value=1 "},
		"sample of a call":  {"sample 0", "sample 1"},
		"sample at a depth": {"sample 0", "sample 0 sp=0x7ffe00000f00"},
		"unknown sample":    {"sample 0 value=0x2", "sample 0 value=0x3"},
		"exit of a call":    {"exit 0", "exit 1"},
		"program of an end": {"exit 0 value=1", "exit 0"},
		"unknown in set":    {`probe-set {"funcs":[2`, `probe-set {"funcs":[9`},
		"window backwards":  {`"to_ns":600`, `"to_ns":60`},
		"window too short":  {`"off_ns":650`, `"off_ns":65`},
		"no end":            {example[strings.Index(example, "end {"):], ""},
	} {
		text := strings.Replace(example, change[0], change[1], 1)
		if text == example {
			t.Fatalf("%s: nothing changed", name)
		}
		src := fromText(t, text)
		r, err := NewReader(src, src.Size())
		if err != nil {
			t.Fatal(err)
		}
		if err := Validate(r); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// chain is the definitions of a stack of n places.
func chain(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "stack {\"func\":0,\"addr\":1,\"outer\":%d}\n", i)
	}
	return b.String()
}
