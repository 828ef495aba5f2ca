package analyze

import (
	"cmp"
	"slices"
	"strings"

	"utrace/format"
)

// NamelessModule is a program or library with functions that have no name: see format.Func.Unnamed.
type NamelessModule struct {
	Path     string
	BuildID  string // "" if it has none
	Funcs    int    // in the traces, probed or on stacks
	Nameless int    // those without a name
	Calls    uint64 // of the functions without a name, as far as they are in the traces
}

// Nameless returns the modules with functions that have no name: those with the most calls of such
// functions first. Of the options, only Name and Open count.
func Nameless(paths []string, opts Options) ([]NamelessModule, []Warning, error) {
	type key struct{ path, buildID string }
	byKey := map[key]*NamelessModule{}
	var warnings []Warning
	for _, path := range paths {
		src, err := openEvents(path, &Options{Name: opts.Name, Open: opts.Open})
		if err != nil {
			return nil, nil, err
		}
		calls, err := src.countCalls()
		src.close()
		if err != nil {
			return nil, nil, err
		}
		if damage := src.damage(); damage != "" {
			warnings = append(warnings, Warning{Source: FileName(path), Text: "the rest of the trace cannot be read: " + damage})
		}

		t := &src.tables
		for i := range t.Funcs {
			f := &t.Funcs[i]
			m := &t.Modules[f.Module]
			k := key{m.Path, m.BuildID}
			if byKey[k] == nil {
				byKey[k] = &NamelessModule{Path: m.Path, BuildID: m.BuildID}
			}
			byKey[k].Funcs++
			if f.Unnamed() {
				byKey[k].Nameless++
				byKey[k].Calls += calls[i]
			}
		}
	}

	var list []NamelessModule
	for _, m := range byKey {
		if m.Nameless > 0 {
			list = append(list, *m)
		}
	}
	slices.SortFunc(list, func(a, b NamelessModule) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(b.Nameless, a.Nameless), strings.Compare(a.Path, b.Path), strings.Compare(a.BuildID, b.BuildID))
	})
	return list, warnings, nil
}

// countCalls returns the number of calls in the file, by function.
func (s *source) countCalls() (calls []uint64, err error) {
	err = s.each(format.Columns{}, func(b *batch) error {
		defer b.release()
		calls = append(calls, make([]uint64, len(s.tables.Funcs)-len(calls))...)
		for row, kind := range b.Kind {
			switch format.Kind(kind) {
			case format.Entry, format.TailEntry, format.Hit:
				calls[b.Func[row]]++
			}
		}
		return nil
	})
	return append(calls, make([]uint64, len(s.tables.Funcs)-len(calls))...), err
}
