package docs_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// sourceName matches the name of a Go file or a header, with or without a path.
	sourceName = regexp.MustCompile(`[\w.-][\w./-]*\.(go|h)\b`)
	// cComment matches a comment of C.
	cComment = regexp.MustCompile(`(?s)/\*.*?\*/`)
)

// TestComments: the Go files and headers that comments name exist, in the directory of the file
// that has the comment or at a path from the root. Paths elsewhere are the kernel's, glibc's or
// Go's, and are not checked.
func TestComments(t *testing.T) {
	n := 0
	for _, top := range []string{"analyze", "bpf", "cmd", "docs", "format", "record"} {
		err := filepath.WalkDir(path.Join("..", top), func(file string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.Name() == "testdata" {
				return filepath.SkipDir
			}
			comments, err := commentsIn(file)
			if err != nil {
				return err
			}

			for _, comment := range comments {
				for _, name := range sourceName.FindAllString(comment, -1) {
					if !isOurs(path.Dir(file), name) {
						continue
					}
					n++
					if !exists(path.Join(path.Dir(file), name)) && !exists(path.Join("..", name)) {
						t.Errorf("%s: there is no %s:\n%s", file, name, comment)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n < 100 {
		t.Errorf("%d names were found", n)
	}
}

// commentsIn returns the comments of a Go file or of a C file, none of others.
func commentsIn(file string) (comments []string, err error) {
	switch filepath.Ext(file) {
	case ".go":
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, group := range parsed.Comments {
			comments = append(comments, group.Text())
		}
		return comments, nil
	case ".c", ".h":
		text, err := os.ReadFile(file)
		return cComment.FindAllString(string(text), -1), err
	}
	return nil, nil
}

// isOurs reports whether a name in a comment of a file in dir belongs to this repository:
// it has no directory, or its first directory exists in dir or at the root. NAME is a placeholder.
func isOurs(dir, name string) bool {
	first, _, hasDir := strings.Cut(name, "/")
	if !hasDir {
		return true
	}
	return !strings.Contains(name, "/NAME/") && (exists(path.Join(dir, first)) || exists(path.Join("..", first)))
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
