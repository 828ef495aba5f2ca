package main

import (
	"io"
	"slices"

	"utrace/analyze"
	comparison "utrace/analyze/compare"
	"utrace/analyze/render"
)

// fileOnStdout reports whether a file goes to standard output, instead of the table.
func (f *diffFlags) fileOnStdout() bool { return f.pprof == "-" || f.flame == "-" }

// writeFiles writes the files that flags name. It returns warnings about what they show.
func (f *diffFlags) writeFiles(out io.Writer, opts analyze.Options) (warnings []analyze.Warning, err error) {
	for _, file := range []struct {
		flag, path string
		write      func(io.Writer) error
	}{
		{"pprof", f.pprof, func(w io.Writer) error {
			p, _, err := comparison.Profile(f.oldPaths, f.newPaths, opts)
			if err != nil {
				return err
			}
			return p.Write(w)
		}},
		{"flame", f.flame, func(w io.Writer) error {
			before, after, list, err := comparison.Trees(f.oldPaths, f.newPaths, opts)
			if err != nil {
				return err
			}
			warnings = list
			return render.FlameDiff(w, before, after)
		}},
	} {
		if file.path == "" {
			continue
		}
		if err := notATrace(file.flag, file.path, slices.Concat(f.oldPaths, f.newPaths)); err != nil {
			return warnings, err
		}
		if file.path == "-" {
			err = file.write(out)
		} else {
			err = intoFile(file.flag, file.path, file.write)
		}
		if err != nil {
			return warnings, err
		}
	}
	return warnings, nil
}
