//go:build linux

package record

import (
	"fmt"
	"slices"
	"strings"

	"utrace/record/internal/abi"
	"utrace/record/internal/elffile"
	"utrace/record/internal/suggest"
)

// noMatch explains a probe that matches no function.
func noMatch(probe *Probe, wanted map[*image][]*Probe, scopes []*scope) error {
	var files []string
	for img, probes := range wanted {
		if slices.Contains(probes, probe) {
			if why := optimizedAway(img.file, probe); why != "" {
				return fmt.Errorf("%w %q: %s of %s", ErrProbe, probe.Text, why, img.path)
			}
			funcs, err := img.file.Funcs()
			what := fmt.Sprintf("%s (%d functions", img.path, len(funcs))
			if err != nil {
				what = fmt.Sprintf("%s (symbols cannot be read: %v", img.path, err)
			} else if img.file.Stripped() {
				what += ", stripped: only what it exports has a name, other functions are called sub_ADDRESS"
			}
			files = append(files, what+")")
		}
	}
	slices.Sort(files)
	hint := nearest(probe, wanted)
	if probe.Path == "" && probe.Lib == "" && probe.pattern != nil && probe.pattern.literal != "" {
		for _, sc := range scopes {
			for _, img := range sc.libs {
				funcs, _ := img.file.Funcs()
				if slices.ContainsFunc(funcs, func(fn elffile.Func) bool { _, ok := probe.pattern.match(fn); return ok }) {
					hint = fmt.Sprintf("; %s has it: write %s:%s", img.path, baseName(img.path), probe.Text)
				}
			}
		}
	}
	return fmt.Errorf("%w %q: no such function in %s%s", ErrProbe, probe.Text, strings.Join(files, ", "), hint)
}

// nearest suggests a function whose name is like the one that a probe names.
func nearest(probe *Probe, wanted map[*image][]*Probe) string {
	if probe.pattern == nil || probe.pattern.literal == "" {
		return ""
	}
	name := elffile.DemangleNoParams(probe.pattern.literal)
	var names []string
	for img, probes := range wanted {
		funcs, _ := img.file.Funcs()
		if !slices.Contains(probes, probe) || len(funcs) > mostCompared {
			continue
		}
		for _, fn := range funcs {
			if other := elffile.DemangleNoParams(fn.Name); max(len(other), len(name))-min(len(other), len(name)) <= len(name)/2 {
				names = append(names, other)
			}
		}
	}
	slices.Sort(names)
	return suggest.Nearest(name, names)
}

// mostCompared bounds the names that a wrong one is compared with.
const mostCompared = 100000

// optimizedAway says what has become of a function of the source that has no
// symbol, "" if the debugging information knows of none.
func optimizedAway(file *elffile.File, probe *Probe) string {
	if probe.pattern == nil || probe.pattern.literal == "" {
		return ""
	}
	funcs, _ := file.Funcs()
	var clones []string
	for _, fn := range funcs {
		if strings.HasPrefix(fn.Name, probe.pattern.literal+".") && !fn.Cold() {
			clones = append(clones, fn.Name)
		}
	}
	if len(clones) > 0 {
		return "the compiler has changed it: probe " + shortList(clones, 0)
	}
	inlined, ok, err := file.Inlined(func(name string) bool {
		_, ok := probe.pattern.match(elffile.Func{Name: name})
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
		b.WriteString(elffile.DemangleNoParams(name))
	}
	if more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// isStartup tells the functions that every program has from its compiler, and
// that nobody means by "all functions".
func isStartup(symbol string) bool {
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
func selectFunc(fn elffile.Func, probes []*Probe, matched map[*Probe]bool) (symbol string, by *Probe) {
	excluded := false
	choose := func(probe *Probe) {
		if by == nil || probe.values.any() && !by.values.any() {
			by = probe
		}
	}
	for _, probe := range probes {
		switch {
		case probe.addr != nil && *probe.addr == fn.Addr:
			matched[probe] = true
			if probe.Exclude {
				excluded = true
			} else {
				if by == nil {
					symbol = fn.Name
				}
				choose(probe)
			}
		case probe.pattern == nil || probe.delta != 0:
		default:
			if name, hit := probe.pattern.match(fn); hit {
				matched[probe] = true
				if probe.Exclude {
					excluded = true
				} else {
					if by == nil || probe.pattern.literal != "" {
						symbol = name
					}
					choose(probe)
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
func (p *Plan) addInstructions(m *PlannedModule, probe *Probe, funcs []elffile.Func, matched map[*Probe]bool, leaveOut func(string, abi.Addr, string)) error {
	if probe.addr != nil {
		if fn, ok := m.image.file.FuncAt(*probe.addr); ok && fn.Addr == *probe.addr {
			return nil // selectFunc has it
		}
	}
	if probe.values.any() {
		return fmt.Errorf("%w %q: %q: no function begins at %#x, and %s", ErrProbe, shorten(probe.Text), shorten(probe.behind), uint64(*probe.addr), whyOfCalls)
	}
	if p.followsCalls() {
		return fmt.Errorf("%w %q: a single instruction: %w", ErrProbe, shorten(probe.Text), ErrLate)
	}
	add := func(fn elffile.Func, symbol string, a abi.Addr) {
		matched[probe] = true
		name := fmt.Sprintf("%s+%#x", elffile.DemangleNoParams(symbol), uint64(a-fn.Addr))
		off, mapped := m.image.file.FileOff(a)
		ok, err := m.image.file.IsInstruction(fn, a)
		switch {
		case !mapped:
			leaveOut(name, a, "its code is not in the file")
		case err != nil:
			leaveOut(name, a, err.Error())
		case !ok:
			leaveOut(name, a, "in the middle of an instruction: a breakpoint there would corrupt it")
		default:
			if why := refusedByKernel(m.image.file, a); why != "" {
				leaveOut(name, a, why)
				return
			}
			m.Funcs = append(m.Funcs, PlannedFunc{Name: name, Symbol: symbol, Addr: uint64(a), Site: uint64(a), FileOff: uint64(off), Class: classAt(m.image.file, a, p.sites), SourceFile: fn.SourceFile, Hit: true, ReturnBy: Never})
		}
	}
	if probe.addr != nil {
		a := *probe.addr
		if fn, ok := m.image.file.FuncAt(a); ok {
			add(fn, fn.Name, a)
			return nil
		}
		matched[probe] = true
		leaveOut(fmt.Sprintf("%#x", uint64(a)), a, "no function is known to cover this address: whether an instruction begins there cannot be told")
		return nil
	}
	for _, fn := range funcs {
		if symbol, ok := probe.pattern.match(fn); ok {
			if probe.delta >= fn.Size {
				matched[probe] = true
				leaveOut(symbol, fn.Addr, fmt.Sprintf("it is %d bytes long: +%#x is beyond its end", fn.Size, probe.delta))
				continue
			}
			add(fn, symbol, fn.Addr+abi.Addr(probe.delta))
		}
	}
	return nil
}

// distinguish gives functions that would read the same, such as overloads,
// their parameters back.
func distinguish(funcs []PlannedFunc) {
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
			funcs[i].Name = elffile.Demangle(fn.Symbol)
		}
	}
}
