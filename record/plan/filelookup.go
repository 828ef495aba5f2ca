//go:build linux

package plan

import (
	"errors"
	"fmt"
	"strings"

	"utrace/record/internal/image"
	"utrace/record/internal/ldso"
	"utrace/record/internal/probe"
)

// errNoLibrary is wrapped if a library is not found. A process may still load it.
var errNoLibrary = errors.New("no library")

// find returns the files of a scope in which a probe may name something:
//
//   - the busy program that it was chosen for; all of them for a function that is left out;
//   - the file at its path, which need not be part of the scope;
//   - the libraries that its library name matches; if there is none, the library that the dynamic
//     linker would load;
//   - for a static probe, the files that have it;
//   - otherwise the program.
//
// Errors wrap probe.ErrProbe, and ErrNoProgram, or errNoLibrary or ErrNoUSDT if a file that appears
// later may help.
func find(s *image.Set, sc *Scope, p *probe.Probe) ([]*image.Image, error) {
	if b, ok := sc.busy[p]; ok {
		return []*image.Image{b.program}, nil
	}
	switch {
	case p.Path != "":
		return findPath(s, sc, p)
	case p.Lib != "":
		return findLibrary(s, sc, p)
	case p.USDT != nil:
		var list []*image.Image
		for _, img := range sc.all() {
			if hasUSDT(img.File, p.USDT) {
				list = append(list, img)
			}
		}
		if len(list) == 0 {
			return nil, noUSDT(p, sc.all())
		}
		return list, nil
	case sc.Program != nil:
		return []*image.Image{sc.Program}, nil
	case p.Exclude && len(sc.busy) > 0:
		var list []*image.Image
		for _, b := range sc.busy {
			list = append(list, b.program)
		}
		return list, nil
	}
	return nil, fmt.Errorf("%w %q: %w (LIB:%s and /path/to/file:%s name one)", probe.ErrProbe, p.Text, ErrNoProgram, p.Text, p.Text)
}

// findPath returns the file of a probe that gives its path.
func findPath(s *image.Set, sc *Scope, p *probe.Probe) ([]*image.Image, error) {
	for _, img := range sc.all() {
		if img.Path == p.Path {
			return []*image.Image{img}, nil
		}
	}
	img, err := s.Get(sc.root, sc.PID, p.Path, s.InRoot(sc.root, p.Path))
	if err != nil {
		hint := ""
		if p.Pattern != nil && strings.Contains(p.Pattern.Literal, "/") && strings.Contains(p.Pattern.Literal, ":") {
			hint = `; a path that contains a colon is quoted: "/path/to/a:b":FUNC`
		}
		return nil, fmt.Errorf("%w %q: %w%s", probe.ErrProbe, p.Text, err, hint)
	}
	return []*image.Image{img}, nil
}

// findLibrary returns the files of a probe that names a library.
func findLibrary(s *image.Set, sc *Scope, p *probe.Probe) ([]*image.Image, error) {
	var list []*image.Image
	for _, img := range sc.all() {
		if ldso.Matches(p.Lib, img.Path, img.File.Soname) {
			list = append(list, img)
		}
	}
	if len(list) > 0 {
		return list, nil
	}

	// A process may load it later, if the dynamic linker finds it.
	if sc.root != "" {
		return nil, fmt.Errorf("%w %q: process %d has mapped no library %q, and it has a root directory of its own; for a library that is loaded later, write /path/to/file:FUNC, with the path that the process uses", probe.ErrProbe, p.Text, sc.PID, p.Lib)
	}
	path, ok := sc.finder.Find(p.Lib)
	if !ok {
		return nil, fmt.Errorf("%w %q: %w %q is mapped, and the dynamic linker finds none; write /path/to/file:FUNC for one elsewhere", probe.ErrProbe, p.Text, errNoLibrary, p.Lib)
	}
	img, err := s.Get(sc.root, sc.PID, path, path)
	if err != nil {
		return nil, fmt.Errorf("%w %q: %w", probe.ErrProbe, p.Text, err)
	}
	return []*image.Image{img}, nil
}
