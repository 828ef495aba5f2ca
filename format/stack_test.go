package format

import (
	"strings"
	"testing"
)

// TestStacks: the chain of callers of a stack ends, whatever a trace says.
func TestStacks(t *testing.T) {
	for name, change := range map[string][2]string{
		"":                                    {"", ""},
		"its caller 2 was not defined before": {`"outer":1`, `"outer":2`},
		"its caller 9 was not defined before": {`"outer":1`, `"outer":9`},
		"it is in the unknown function 3":     {`stack {"func":0`, `stack {"func":3`},
	} {
		src := fromText(t, strings.Replace(example, change[0], change[1], 1))
		r, err := NewReader(src, src.Size())
		if err != nil {
			t.Fatal(err)
		}
		if err := WriteText(&strings.Builder{}, r); name == "" && err != nil || name != "" && (err == nil || !strings.Contains(err.Error(), name)) {
			t.Errorf("error %v, want %q", err, name)
		}
	}
}
