package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// maxWords is how many words a sentence may have.
const maxWords = 32

// prose returns the texts of a page outside of its blocks: paragraphs, items of lists and cells of
// tables, each with the number of its first line.
func (p page) prose() (texts []string, lines []int) {
	add := func(line int, text string) {
		if text = strings.TrimSpace(text); text != "" {
			texts, lines = append(texts, text), append(lines, line)
		}
	}
	joins := false // the line before this one goes on
	inBlock := false
	for i, line := range p.lines {
		trimmed := strings.TrimSpace(line)
		switch {
		case fenceLine.MatchString(line):
			inBlock, joins = !inBlock, false
		case inBlock, trimmed == "", strings.HasPrefix(trimmed, "#"), strings.HasPrefix(trimmed, "<!--"):
			joins = false
		case strings.HasPrefix(trimmed, "|"):
			for _, cell := range strings.Split(strings.Trim(trimmed, "|"), "|") {
				add(i+1, cell)
			}
			joins = false
		case regexp.MustCompile(`^([-*]|\d+\.) `).MatchString(trimmed):
			_, text, _ := strings.Cut(trimmed, " ")
			add(i+1, text)
			joins = true
		case joins:
			texts[len(texts)-1] += " " + trimmed
		default:
			add(i+1, trimmed)
			joins = true
		}
	}
	return texts, lines
}

var (
	codeSpan    = regexp.MustCompile("`[^`]*`")
	linkTarget  = regexp.MustCompile(`\]\([^)]*\)`)
	sentenceEnd = regexp.MustCompile(`[.!?][*)]* +`)
)

// longSentences returns the sentences of a page that are too long, each with its place, and how many sentences there are.
func (p page) longSentences() (long []string, all int) {
	texts, lines := p.prose()
	for i, text := range texts {
		text = linkTarget.ReplaceAllString(codeSpan.ReplaceAllString(text, "CODE"), "]")
		for _, sentence := range sentenceEnd.Split(text, -1) {
			all++
			if n := len(strings.Fields(sentence)); n > maxWords {
				long = append(long, fmt.Sprintf("%s:%d: a sentence of %d words: %s", p.path, lines[i], n, sentence))
			}
		}
	}
	return long, all
}

// TestSentences: no sentence of README and the manual is longer than a hurried reader takes at once.
func TestSentences(t *testing.T) {
	for _, p := range readPages(t) {
		long, _ := p.longSentences()
		for _, text := range long {
			t.Error(text)
		}
	}
}

// TestPackageComments: at most 2% of the sentences of package comments are longer than that.
func TestPackageComments(t *testing.T) {
	var long []string
	all := 0
	err := filepath.WalkDir("..", func(path string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Base(path) != "doc.go" {
			return err
		}
		p, err := readPackageComment(path)
		if err != nil {
			return err
		}
		l, n := p.longSentences()
		long, all = append(long, l...), all+n
		return nil
	})
	if err != nil || all < 500 {
		t.Fatalf("%d sentences, %v", all, err)
	}
	if 50*len(long) > all {
		t.Errorf("%d of %d sentences are too long:\n%s", len(long), all, strings.Join(long, "\n"))
	}
}

// readPackageComment reads the comments of a Go file as a page. Indented lines are code, unless they are items of a list.
func readPackageComment(path string) (page, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return page{}, err
	}
	p := page{path: path}
	for line := range strings.Lines(string(text)) {
		comment, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "//")
		item := regexp.MustCompile(`^ +([-*]|\d+\.) `).MatchString(comment)
		if !ok || strings.HasPrefix(comment, "\t") && !item {
			comment = ""
		}
		p.lines = append(p.lines, comment)
	}
	return p, nil
}

// TestREADME: README is a page.
func TestREADME(t *testing.T) {
	if info, err := os.Stat("../README.md"); err != nil || info.Size() > 10_000 {
		t.Errorf("README.md: %d bytes, %v: 10,000 are the limit", info.Size(), err)
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`^#+ (.*)$`)
)

// TestLinks: each link within the repository leads to a file, and to a heading of it.
func TestLinks(t *testing.T) {
	anchors := map[string]map[string]bool{} // by page
	pages := readPages(t)
	for _, p := range pages {
		anchors[p.path] = map[string]bool{}
		for _, line := range p.lines {
			if m := heading.FindStringSubmatch(line); m != nil {
				anchors[p.path][anchor(m[1])] = true
			}
		}
	}
	for _, p := range pages {
		for i, line := range p.lines {
			for _, m := range link.FindAllStringSubmatch(codeSpan.ReplaceAllString(line, ""), -1) {
				if strings.Contains(m[1], "://") {
					continue
				}
				file, fragment, _ := strings.Cut(m[1], "#")
				path := p.path
				if file != "" {
					path = filepath.Join(filepath.Dir(p.path), file)
				}
				if _, err := os.Stat(path); err != nil {
					t.Errorf("%s:%d: %s: %v", p.path, i+1, m[1], err)
				} else if fragment != "" && !anchors[path][fragment] {
					t.Errorf("%s:%d: %s: no such heading", p.path, i+1, m[1])
				}
			}
		}
	}
}

// anchor is the fragment by which a heading is linked to, as GitHub makes it.
func anchor(heading string) string {
	text := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(heading), "")
	return strings.ReplaceAll(text, " ", "-")
}
