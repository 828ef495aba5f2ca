package format

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

func TestCheckLabels(t *testing.T) {
	full := map[string]string{}
	for i := range maxLabels {
		full[fmt.Sprint("k", i)] = "v"
	}
	over := maps.Clone(full)
	over["one-more"] = "v"
	for _, c := range []struct {
		labels map[string]string
		want   string // "" if they are allowed
	}{
		{nil, ""},
		{map[string]string{"version": "1.4.2", "k8s.pod/name-x_1": "a b=c, ü"}, ""},
		{map[string]string{"empty": ""}, ""},
		{map[string]string{strings.Repeat("k", 63): strings.Repeat("v", 255)}, ""},
		{full, ""},
		{over, "33 labels: want at most 32"},
		{map[string]string{"": "x"}, `label "": the key is empty`},
		{map[string]string{"1st": "x"}, `label "1st": a key begins with a letter`},
		{map[string]string{"a b": "x"}, `label "a b": a key has letters, digits`},
		{map[string]string{"schlüssel": "x"}, "a key has letters, digits"},
		{map[string]string{strings.Repeat("k", 64): "x"}, "the key has 64 bytes"},
		{map[string]string{"a": strings.Repeat("v", 256)}, "label a: the value has 256 bytes"},
		{map[string]string{"a": "x\x1b[31m"}, "not printable"},
		{map[string]string{"a": "\xff"}, "not printable"},
	} {
		err := CheckLabels(c.labels)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.labels, err, c.want)
		}
	}
}

// A trace keeps its labels. The validator refuses those that record would not write.
func TestLabels(t *testing.T) {
	for label, valid := range map[string]bool{`"version":"1.4.2"`: true, `"a b":"x"`: false} {
		text := strings.Replace(example, "meta {", "meta {\"labels\":{"+label+"},", 1)
		src := fromText(t, text)
		r, err := NewReader(src, src.Size())
		if err != nil {
			t.Fatal(err)
		}
		if got := len(r.Meta().Labels); got != 1 {
			t.Errorf("%s: %d labels", label, got)
		}
		if err := Validate(r); (err == nil) != valid {
			t.Errorf("%s: %v", label, err)
		}
		if twin := toText(t, fromText(t, text)); !strings.Contains(twin, `"labels":{`+label+`}`) {
			t.Errorf("%s is not in %s", label, twin)
		}
	}
}
