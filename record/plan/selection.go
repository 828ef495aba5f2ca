//go:build linux

package plan

import (
	"fmt"
	"slices"
	"strings"

	"utrace/record/internal/abi"
	"utrace/record/internal/demangle"
	"utrace/record/internal/elffile"
	"utrace/record/internal/image"
	"utrace/record/internal/probe"
	"utrace/record/internal/suggest"
)

// noMatch explains a probe that matches no function.
func noMatch(pr *probe.Probe, wanted map[*image.Image][]*probe.Probe, scopes []*Scope) error {
	var files []string
	for img, probes := range wanted {
		if slices.Contains(probes, pr) {
			if why := optimizedAway(img.File, pr); why != "" {
				return fmt.Errorf("%w %q: %s of %s", probe.ErrProbe, pr.Text, why, img.Path)
			}
			funcs, err := img.File.Funcs()
			what := fmt.Sprintf("%s (%d functions", img.Path, len(funcs))
			if err != nil {
				what = fmt.Sprintf("%s (symbols cannot be read: %v", img.Path, err)
			} else if img.File.Stripped() {
				what += ", stripped: only what it exports has a name, other functions are called sub_ADDRESS"
			}
			files = append(files, what+")")
		}
	}
	slices.Sort(files)
	hint := nearest(pr, wanted)
	if pr.Path == "" && pr.Lib == "" && pr.Pattern != nil && pr.Pattern.Literal != "" {
		for _, sc := range scopes {
			for _, img := range sc.libs {
				funcs, _ := img.File.Funcs()
				if slices.ContainsFunc(funcs, func(fn elffile.Func) bool { _, ok := matchFunc(pr.Pattern, fn); return ok }) {
					hint = fmt.Sprintf("; %s has it: write %s:%s", img.Path, baseName(img.Path), pr.Text)
				}
			}
		}
	}
	return fmt.Errorf("%w %q: no such function in %s%s", probe.ErrProbe, pr.Text, strings.Join(files, ", "), hint)
}

// nearest suggests a function whose name is like the one that a probe names.
func nearest(pr *probe.Probe, wanted map[*image.Image][]*probe.Probe) string {
	if pr.Pattern == nil || pr.Pattern.Literal == "" {
		return ""
	}
	name := demangle.Short(pr.Pattern.Literal)
	var names []string
	for img, probes := range wanted {
		funcs, _ := img.File.Funcs()
		if !slices.Contains(probes, pr) || len(funcs) > maxComparedNames {
			continue
		}
		for _, fn := range funcs {
			if other := demangle.Short(fn.Name); max(len(other), len(name))-min(len(other), len(name)) <= len(name)/2 {
				names = append(names, other)
			}
		}
	}
	slices.Sort(names)
	return suggest.Nearest(name, names)
}

// mostCompared bounds the names that a wrong one is compared with.
const maxComparedNames = 100000

// optimizedAway says what has become of a function of the source that has no
// symbol, "" if the debugging information knows of none.
func optimizedAway(file *elffile.File, pr *probe.Probe) string {
	if pr.Pattern == nil || pr.Pattern.Literal == "" {
		return ""
	}
	funcs, _ := file.Funcs()
	var clones []string
	for _, fn := range funcs {
		if strings.HasPrefix(fn.Name, pr.Pattern.Literal+".") && !fn.Cold() {
			clones = append(clones, fn.Name)
		}
	}
	if len(clones) > 0 {
		return "the compiler has changed it: probe " + shortList(clones, 0)
	}
	inlined, ok, err := file.Inlined(func(name string) bool {
		_, ok := matchFunc(pr.Pattern, elffile.Func{Name: name})
		return ok
	})
	switch {
	case err != nil || !ok || inlined.Own:
		return ""
	case len(inlined.In) == 0:
		return "it exists only inlined, and not in any function that has a name"
	}
	return "it exists only inlined, in " + shortList(inlined.In, inlined.More)
}

// shortList lists the first names of a list that has more of them.
func shortList(names []string, more int) string {
	const shown = 8
	if n := len(names); n > shown {
		names, more = names[:shown], more+n-shown
	}
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(demangle.Short(name))
	}
	if more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// matchFunc reports whether a pattern names a function, and by which of its symbols.
func matchFunc(p *probe.Pattern, fn elffile.Func) (symbol string, ok bool) {
	return p.MatchSymbols(fn.Name, fn.Aliases)
}

// forFuncs is the probe as it is to be read for the functions of a file: one that has such parameters decides.
func forFuncs(p *probe.Probe, funcs []elffile.Func) *probe.Probe {
	if p.Overload != nil && slices.ContainsFunc(funcs, func(fn elffile.Func) bool { _, ok := matchFunc(p.Overload, fn); return ok }) {
		return p.AsOverload()
	}
	return p
}

// isStartup tells the functions that every program has from its compiler, and
// that nobody means by "all functions".
func IsStartup(symbol string) bool {
	switch symbol {
	case "_start", "_init", "_fini", "frame_dummy", "register_tm_clones", "deregister_tm_clones",
		"__do_global_dtors_aux", "__do_global_ctors_aux", "_dl_relocate_static_pie",
		"__libc_csu_init", "__libc_csu_fini", "__gmon_start__", "atexit", "at_quick_exit":
		return true
	}
	return false
}

// selectFunc returns the probe that selects a function, and by which of its symbols. Of several it is the first that wants
// arguments or the like. nil: none does.
func selectFunc(fn elffile.Func, probes []*probe.Probe, matched map[*probe.Probe]bool) (symbol string, by *probe.Probe) {
	excluded := false
	choose := func(pr *probe.Probe) {
		if by == nil || pr.Values.Any() && !by.Values.Any() {
			by = pr
		}
	}
	for _, pr := range probes {
		switch {
		case pr.Addr != nil && *pr.Addr == uint64(fn.Addr):
			matched[pr] = true
			if pr.Exclude {
				excluded = true
			} else {
				if by == nil {
					symbol = fn.Name
				}
				choose(pr)
			}
		case pr.Pattern == nil || pr.Offset != 0:
		default:
			if name, hit := matchFunc(pr.Pattern, fn); hit {
				matched[pr] = true
				if pr.Exclude {
					excluded = true
				} else {
					if by == nil || pr.Pattern.Literal != "" {
						symbol = name
					}
					choose(pr)
				}
			}
		}
	}
	if excluded {
		return symbol, nil
	}
	return symbol, by
}

// addInstructions plans the probes on single instructions: FUNC+OFFSET, and
// addresses at which no function begins. What a probe wants of calls is an error there.
func (f *filePlan) addInstructions(pr *probe.Probe, funcs []elffile.Func) error {
	if pr.Addr != nil {
		if fn, ok := f.img.File.FuncAt(abi.Addr(*pr.Addr)); ok && uint64(fn.Addr) == *pr.Addr {
			return nil // selectFunc has it
		}
	}
	if pr.Values.Any() {
		return fmt.Errorf("%w %q: %q: no function begins at %#x, and %s", probe.ErrProbe, probe.Shorten(pr.Text), probe.Shorten(pr.Tail), *pr.Addr, probe.WhyOfCalls)
	}
	if f.p.DefersCalls() {
		return fmt.Errorf("%w %q: a single instruction: %w", probe.ErrProbe, probe.Shorten(pr.Text), ErrLate)
	}
	add := func(fn elffile.Func, symbol string, a abi.Addr) {
		f.matched[pr] = true
		name := fmt.Sprintf("%s+%#x", demangle.Short(symbol), uint64(a-fn.Addr))
		off, mapped := f.img.File.FileOff(a)
		ok, err := f.img.File.IsInstruction(fn, a)
		switch {
		case !mapped:
			f.leaveOut(name, a, "its code is not in the file")
		case err != nil:
			f.leaveOut(name, a, err.Error())
		case !ok:
			f.leaveOut(name, a, "in the middle of an instruction: a breakpoint there would corrupt it")
		default:
			if why := refusedByKernel(f.img.File, a); why != "" {
				f.leaveOut(name, a, why)
				return
			}
			f.m.Funcs = append(f.m.Funcs, Func{Name: name, Symbol: symbol, Addr: uint64(a), Site: uint64(a), FileOff: uint64(off), Class: classAt(f.img.File, a, f.p.sites), SourceFile: fn.SourceFile, Hit: true, ReturnBy: Never})
		}
	}
	if pr.Addr != nil {
		a := abi.Addr(*pr.Addr)
		if fn, ok := f.img.File.FuncAt(a); ok {
			add(fn, fn.Name, a)
			return nil
		}
		f.matched[pr] = true
		f.leaveOut(fmt.Sprintf("%#x", uint64(a)), a, "no function is known to cover this address: whether an instruction begins there cannot be told")
		return nil
	}
	for _, fn := range funcs {
		if symbol, ok := matchFunc(pr.Pattern, fn); ok {
			if pr.Offset >= fn.Size {
				f.matched[pr] = true
				f.leaveOut(symbol, fn.Addr, fmt.Sprintf("it is %d bytes long: +%#x is beyond its end", fn.Size, pr.Offset))
				continue
			}
			add(fn, symbol, fn.Addr+abi.Addr(pr.Offset))
		}
	}
	return nil
}

// distinguish gives functions that would read the same, such as overloads,
// their parameters back.
func distinguish(funcs []Func) {
	symbols := map[string]string{}
	same := map[string]bool{}
	for _, fn := range funcs {
		if other, ok := symbols[fn.Name]; ok && other != fn.Symbol {
			same[fn.Name] = true
		}
		symbols[fn.Name] = fn.Symbol
	}
	for i, fn := range funcs {
		if same[fn.Name] && !fn.Hit {
			funcs[i].Name = demangle.Full(fn.Symbol)
		}
	}
}
