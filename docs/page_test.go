// Package docs holds the manual. Its tests run every command that README.md and the manual show,
// and read their prose.
package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A page is README.md or a page of the manual.
type page struct {
	path  string
	lines []string
}

// readPages reads README.md and the whole manual.
func readPages(t *testing.T) []page {
	t.Helper()
	paths, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	var pages []page
	for _, path := range append([]string{"../README.md"}, paths...) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page{path, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")})
	}
	return pages
}

// A block is a fenced block of a page: lines[first:end], without the fences.
type block struct {
	language   string
	directives map[string]string // of the comment <!-- test: WORD TEXT --> above it
	first, end int
}

var (
	fenceLine     = regexp.MustCompile("^( *)```([a-z]*)$")
	directiveLine = regexp.MustCompile(`^ *<!-- test: ([a-z]+)(?:,? (.*))? -->$`)
)

// blocks returns the fenced blocks of a page.
func (p page) blocks() ([]block, error) {
	var list []block
	directives := map[string]string{}
	for i := 0; i < len(p.lines); i++ {
		if m := directiveLine.FindStringSubmatch(p.lines[i]); m != nil {
			directives[m[1]] = m[2]
			continue
		}
		m := fenceLine.FindStringSubmatch(p.lines[i])
		if m == nil {
			if len(directives) > 0 {
				return nil, fmt.Errorf("%s:%d: a directive with no block below it", p.path, i)
			}
			continue
		}
		b := block{language: m[2], directives: directives, first: i + 1}
		directives = map[string]string{}
		for i++; i < len(p.lines) && p.lines[i] != m[1]+"```"; i++ {
		}
		if b.end = i; i == len(p.lines) {
			return nil, fmt.Errorf("%s:%d: a block that does not end", p.path, b.first)
		}
		list = append(list, b)
	}
	return list, nil
}

// A command is a line of a block that begins with "$ ", with its continuations, and the output
// shown below it.
type command struct {
	text       string
	first, end int // the output: lines[first:end] of the page
}

// commands returns the commands of a block.
func (p page) commands(b block) ([]command, error) {
	var list []command
	for i := b.first; i < b.end; {
		text, ok := strings.CutPrefix(strings.TrimSpace(p.lines[i]), "$ ")
		if !ok {
			return nil, fmt.Errorf("%s:%d: output without a command", p.path, i+1)
		}
		for strings.HasSuffix(text, `\`) && i+1 < b.end {
			i++
			text += "\n" + p.lines[i]
		}
		c := command{text: text, first: i + 1}
		for i++; i < b.end && !strings.HasPrefix(strings.TrimSpace(p.lines[i]), "$ "); i++ {
		}
		c.end = i
		list = append(list, c)
	}
	return list, nil
}

// TestBlocks: commands of utrace are in blocks that TestCommands runs.
func TestBlocks(t *testing.T) {
	for _, p := range readPages(t) {
		list, err := p.blocks()
		if err != nil {
			t.Error(err)
		}
		for _, b := range list {
			if b.language == "console" {
				continue
			}
			for i, line := range p.lines[b.first:b.end] {
				if strings.HasPrefix(strings.TrimLeft(line, " $"), "utrace ") || strings.Contains(line, "sudo utrace") {
					t.Errorf("%s:%d: a command outside of a console block", p.path, b.first+i+1)
				}
			}
		}
	}
}
