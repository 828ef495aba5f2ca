package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"utrace/analyze"
)

// Every option and hint of package analyze is put into the words of the command line.
func TestWords(t *testing.T) {
	for o := analyze.OptionBy; o <= analyze.OptionSort; o++ {
		if !strings.HasPrefix(flagOf(o), "--") {
			t.Errorf("%v has no flag", o)
		}
	}
	for h := analyze.RecordSched; h <= analyze.SelectFewerCalls; h++ {
		if !strings.Contains(advice(h), "--") {
			t.Errorf("%v: %q names no flag", h, advice(h))
		}
	}
	w := analyze.Warning{Option: analyze.OptionBy, Value: "n", Text: "no function has it", Hint: analyze.RecordSched}
	if got, want := warningText(w), "--by n: no function has it; record with --sched"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := conditionText(analyze.Condition{SlowerThan: time.Millisecond}); got != "--slower-than 1.000 ms" {
		t.Error(got)
	}
	_, err := analyze.ParseErrorRule("duration > 1ms")
	if got := errorText(err); !strings.HasSuffix(got, "; use --min for durations") {
		t.Error(got)
	}
	if got := errorText(errors.New("other")); got != "other" {
		t.Error(got)
	}
}
