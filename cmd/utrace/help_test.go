//go:build linux

package main

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"utrace/record"
)

// maxSentence is the longest sentence of a help text, in words.
const maxSentence = 32

// eachText calls fn with the help of each command and topic.
func eachText(t *testing.T, fn func(name, help string)) {
	t.Helper()
	for _, cmd := range newRootCommand().Commands() {
		if !cmd.Hidden {
			help, _, _ := inProcess(t, "help", cmd.Name())
			fn(cmd.Name(), help)
		}
	}
	help, _, _ := inProcess(t, "--help")
	fn("utrace", help)
}

// TestHelpFits: helps are as wide as they should be, except the probes of presets, and record's is
// two screens at most.
func TestHelpFits(t *testing.T) {
	eachText(t, func(name, help string) {
		if help == "" || help[len(help)-1] != '\n' {
			t.Errorf("help of %s: %q", name, help)
		}
		for line := range strings.Lines(help) {
			if n := utf8.RuneCountInString(strings.TrimSpace(line)); n > helpWidth && !strings.HasPrefix(line, "  -e ") {
				t.Errorf("help of %s: a line of %d columns: %s", name, n, line)
			}
		}
		if n := strings.Count(help, "\n"); name == "record" && n > 75 {
			t.Errorf("record --help has %d lines", n)
		}
	})
}

// TestHelpSentences: no sentence of a help is long.
func TestHelpSentences(t *testing.T) {
	check := func(name, text string) {
		for _, sentence := range regexp.MustCompile(`[.;:?] `).Split(text+" ", -1) {
			if words := strings.Fields(sentence); len(words) > maxSentence {
				t.Errorf("%s: a sentence of %d words: %s", name, len(words), sentence)
			}
		}
	}
	for _, cmd := range newRootCommand().Commands() {
		for _, b := range parseText(cmd.Long) {
			check(cmd.Name(), b.paragraph)
			for _, item := range b.terms {
				check(cmd.Name(), item.text)
			}
		}
	}
}

// TestTopics: "help probes" has examples that are probes, and "help presets" all presets.
func TestTopics(t *testing.T) {
	probes, _, status := inProcess(t, "help", "probes")
	examples := regexp.MustCompile(`-e '([^']*)'`).FindAllStringSubmatch(probes, -1)
	if status != 0 || len(examples) < 5 {
		t.Fatalf("status %d, %d examples:\n%s", status, len(examples), probes)
	}
	for _, m := range examples {
		if _, err := record.ParseProbe(m[1]); err != nil {
			t.Errorf("%q: %v", m[1], err)
		}
	}

	presets, _, _ := inProcess(t, "help", "presets")
	for _, p := range record.Presets() {
		if !strings.Contains(presets, "\n"+p.Name+": ") {
			t.Errorf("help presets does not have %s", p.Name)
		}
		for _, probe := range p.Probes {
			if !strings.Contains(presets, "  -e '"+probe.Text+"'\n") {
				t.Errorf("help presets does not have %s of %s", probe.Text, p.Name)
			}
		}
	}
}

// TestTopicsListed: "utrace help" lists the topics.
func TestTopicsListed(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"--help"}} {
		help, _, _ := inProcess(t, args...)
		for _, want := range []string{"help probes", "help presets", "record ", "analyze "} {
			if !strings.Contains(help, "\n  "+want) {
				t.Errorf("utrace %s does not list %q:\n%s", args, want, help)
			}
		}
	}
}

func TestParseText(t *testing.T) {
	blocks := parseText(`A paragraph
of two lines:
  literal -e 'x'
  more

Names:
  a, b   the first
         two
  a name that is too long for a column
         the third

The end.
`)
	want := []string{"A paragraph of two lines:", "literal -e 'x'|more", "# Names", "a, b=the first two|a name that is too long for a column=the third", "The end."}
	if len(blocks) != len(want) {
		t.Fatalf("%d blocks: %+v", len(blocks), blocks)
	}
	for i, b := range blocks {
		got := b.paragraph + strings.Join(b.literal, "|")
		if b.heading != "" {
			got = "# " + b.heading
		}
		var items []string
		for _, item := range b.terms {
			items = append(items, item.name+"="+item.text)
		}
		if got += strings.Join(items, "|"); got != want[i] {
			t.Errorf("block %d: %q, want %q", i, got, want[i])
		}
	}
}

// TestCompletion: every shell has a script, and it knows the topics.
func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if script, _, status := inProcess(t, "completion", shell); status != 0 || !strings.Contains(script, "utrace") {
			t.Errorf("completion %s: status %d, %d bytes", shell, status, len(script))
		}
	}
	if names, _, _ := inProcess(t, cobra.ShellCompRequestCmd, "help", ""); !strings.Contains(names, "probes\t") || !strings.Contains(names, "record\t") {
		t.Errorf("completion of help: %s", names)
	}
}
