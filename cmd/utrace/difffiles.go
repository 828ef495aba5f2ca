package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"utrace/analyze"
	comparison "utrace/analyze/compare"
	"utrace/analyze/render"
	"utrace/analyze/render/page"
)

// diffFile is a file that a flag names; - is standard output.
type diffFile struct{ flag, path string }

// files are the files that flags name.
func (f *diffFlags) files() []diffFile {
	return slices.DeleteFunc([]diffFile{{"html", f.html}, {"pprof", f.pprof}, {"flame", f.flame}}, func(file diffFile) bool { return file.path == "" })
}

// fileOnStdout reports whether a file goes to standard output, instead of the table.
func (f *diffFlags) fileOnStdout() bool {
	return slices.ContainsFunc(f.files(), func(file diffFile) bool { return file.path == "-" })
}

// checkFiles refuses to write two things to one file, or to standard output.
func (f *diffFlags) checkFiles() error {
	users := map[string]string{} // flags by file
	if f.json {
		users["-"] = "json"
	}
	for _, file := range f.files() {
		path := filepath.Clean(file.path)
		switch other := users[path]; {
		case other == "":
			users[path] = file.flag
		case path == "-":
			return fmt.Errorf("--%s and --%s - exclude each other: both to standard output", other, file.flag)
		default:
			return fmt.Errorf("--%s and --%s: both write to %s", other, file.flag, file.path)
		}
	}
	return nil
}

// writeFiles writes the files that flags name. It returns warnings about what they show.
func (f *diffFlags) writeFiles(out io.Writer, opts analyze.Options, c *comparison.Comparison) (warnings []analyze.Warning, err error) {
	for _, file := range f.files() {
		if err := notATrace(file.flag, file.path, slices.Concat(f.oldPaths, f.newPaths)); err != nil {
			return warnings, err
		}
	}
	var trees struct{ before, after *analyze.Tree }
	if f.flame != "" || f.html != "" {
		if trees.before, trees.after, warnings, err = comparison.Trees(f.oldPaths, f.newPaths, opts); err != nil {
			return warnings, err
		}
	}
	write := map[string]func(io.Writer) error{
		"html": func(w io.Writer) error {
			cut := *c
			if f.top > 0 {
				cut.Changes = c.Changes[:min(f.top, len(c.Changes))]
			}
			return page.WriteDiff(w, &page.DiffInput{Comparison: &cut, Old: trees.before, New: trees.after, Words: words(), Version: version()})
		},
		"pprof": func(w io.Writer) error {
			p, _, err := comparison.Profile(f.oldPaths, f.newPaths, opts)
			if err != nil {
				return err
			}
			return p.Write(w)
		},
		"flame": func(w io.Writer) error { return render.FlameDiff(w, trees.before, trees.after) },
	}
	for _, file := range f.files() {
		if file.path == "-" {
			err = write[file.flag](out)
		} else {
			err = intoFile(file.flag, file.path, write[file.flag])
		}
		if err != nil {
			return warnings, err
		}
	}
	return warnings, nil
}
