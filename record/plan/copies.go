//go:build linux

package plan

import (
	"fmt"
	"slices"
	"strings"

	"utrace/record/internal/demangle"
	"utrace/record/internal/elffile"
	"utrace/record/internal/probe"
)

// noteCopies adds to Plan.Missing the calls that a probe by a literal name does not see, because the
// compiler has put them elsewhere:
//
//   - into a copy for some values of the arguments (foo.constprop.0, foo.isra.0);
//   - into callers (inlined), as far as the debug information in the file says so.
//
// What the copy of a probed function does is no call of its own (foo.part.0, foo.cold).
func (f *filePlan) noteCopies(probes []*probe.Probe, funcs []elffile.Func) {
	var named []*probe.Probe
	for _, pr := range probes {
		if fn := f.plannedBy(pr); fn != nil {
			named = append(named, pr)
			f.noteClones(fn, funcs)
		}
	}
	anyOf := func(name string) bool {
		return slices.ContainsFunc(named, func(pr *probe.Probe) bool { return selects(pr, name) })
	}
	if len(named) == 0 || f.img.File.DebugInfoSize() > maxSearchedDWARF {
		return
	}
	if _, ok, err := f.img.File.Inlined(anyOf); !ok || err != nil {
		return
	}
	for _, pr := range named {
		inlined, ok, err := f.img.File.Inlined(func(name string) bool { return selects(pr, name) })
		if ok && err == nil && len(inlined.In) > 0 {
			f.p.addMissing(fmt.Sprintf("calls of %s that the compiler has inlined are missing: those in %s",
				demangle.Short(pr.Pattern.Literal), shortList(inlined.In, inlined.More)))
		}
	}
}

// maxSearchedDWARF limits the debug information that is searched for inlined calls, in bytes. The
// search takes about 20 ms for 1 MiB.
const maxSearchedDWARF = 16 << 20

// plannedBy returns a planned function that a probe selects by its literal name, nil if there is
// none, or if a preset has the probe.
func (f *filePlan) plannedBy(pr *probe.Probe) *Func {
	if pr.Exclude || pr.Preset != "" || pr.Addr != nil || pr.Offset != 0 || pr.Pattern == nil || pr.Pattern.Literal == "" {
		return nil
	}
	i := slices.IndexFunc(f.m.Funcs, func(fn Func) bool { return selects(pr, fn.Symbol) })
	if i < 0 {
		return nil
	}
	return &f.m.Funcs[i]
}

func selects(pr *probe.Probe, name string) bool {
	_, ok := matchFunc(pr.Pattern, elffile.Func{Name: name})
	return ok
}

// noteClones notes the copies of a function that are not planned.
func (f *filePlan) noteClones(fn *Func, funcs []elffile.Func) {
	for _, clone := range funcs {
		suffix, ok := strings.CutPrefix(clone.Name, fn.Symbol+".")
		isCopy := ok && !clone.Cold() && (strings.Contains("."+suffix, ".constprop.") || strings.Contains("."+suffix, ".isra.")) &&
			!strings.Contains("."+suffix, ".part.")
		if isCopy && !f.done.addrs[uint64(clone.Addr)] {
			f.p.addMissing(fmt.Sprintf("calls of %s are missing, a copy that the compiler has made of %s: name it as well", clone.Name, fn.Name))
		}
	}
}

func (p *Plan) addMissing(text string) {
	if !slices.Contains(p.Missing, text) {
		p.Missing = append(p.Missing, text)
	}
}
