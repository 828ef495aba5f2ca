package analyze

import "testing"

// texts are warnings in words.
func texts(list []Warning) (texts []string) {
	for _, w := range list {
		texts = append(texts, w.String())
	}
	return texts
}

func TestWarningInWords(t *testing.T) {
	w := Warning{Source: "a.arrow", Option: OptionSort, Value: "cpu", Text: "nothing to sort by", Hint: RecordSched}
	if got, want := w.String(), "a.arrow: sort cpu: nothing to sort by; record the scheduler"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	option := func(Option) string { return "-s" }
	hint := func(Hint) string { return "try -x" }
	if got, want := w.In(option, hint), "a.arrow: -s cpu: nothing to sort by; try -x"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for o := OptionBy; o <= OptionSort; o++ {
		if o.String() == "" {
			t.Errorf("option %d has no name", o)
		}
	}
	for h := RecordSched; h <= SelectFewerCalls; h++ {
		if h.String() == "" {
			t.Errorf("hint %d has no words", h)
		}
	}
}
