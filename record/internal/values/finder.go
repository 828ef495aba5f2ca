package values

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"utrace/bpf"
	"utrace/record/internal/abi"
	"utrace/record/internal/dwarf"
	"utrace/record/internal/elffile"
	"utrace/record/internal/probe"
	"utrace/record/internal/suggest"
)

// Finder finds the locations of the values that a probe records of one function: by its debug
// information, or else by the calling convention, which passes the first arguments in registers.
type Finder struct {
	File *elffile.File
	Func elffile.Func
	Site abi.Addr // of the entry: all values are still where the call put them
	IsGo bool

	debug    *dwarf.Signature // nil if there is none, or read is false
	debugErr error
	read     bool
}

// debugInfo returns the function's signature in the debug information. It reads it once.
func (vf *Finder) debugInfo() (*dwarf.Signature, error) {
	if !vf.read {
		vf.read = true
		vf.debug, vf.debugErr = vf.File.Signature(vf.Func, vf.Site)
	}
	return vf.debug, vf.debugErr
}

// Bind finds the values and the condition of a probe. returns is set if the function's return is
// seen. slowerThan, unless it is 0, is how long calls must take to be kept.
func (vf *Finder) Bind(v *probe.Values, returns bool, slowerThan time.Duration) (b Bound, err error) {
	if !returns && (v.Result != nil || v.AllResults) {
		return b, errors.New("its return is not seen, so its result cannot be recorded")
	}
	if b.Args, err = vf.bindArguments(v); err != nil {
		return b, err
	}
	if b.Results, err = vf.bindResults(v); err != nil {
		return b, err
	}
	if len(b.Results) == 1 && returnsEAI(vf.Func, b.Results[0].Type) {
		b.Results[0].Type = eaiType()
	}

	end := probe.End{Duration: returns}
	if returns {
		end.Results = conditionScope{&b.Results, vf.findResult}
	} else {
		slowerThan = 0
	}
	cond, err := probe.Bind(probe.AtLeast(v.Condition, slowerThan), conditionScope{&b.Args, vf.findArgument}, end)
	if err != nil {
		return b, fmt.Errorf("condition %q: %w", probe.Shorten(v.ConditionText), err)
	}
	b.conds = Compile(cond)

	if v.Result != nil || v.AllResults {
		b.Results = vf.addErrno(b.Results)
	}
	if n := max(len(b.Args), len(b.Results)); n > bpf.MaxArgs {
		return b, fmt.Errorf("%d values, including those that conditions and lengths need: at most %d can be fetched", n, bpf.MaxArgs)
	}
	return b, nil
}

// bindArguments finds the arguments that a probe records, and their lengths as hidden ones.
func (vf *Finder) bindArguments(v *probe.Values) (list []Value, err error) {
	if v.All {
		debug, err := vf.debugInfo()
		if err != nil {
			return nil, fmt.Errorf("(...): %w: name the arguments, as in (name:str, size:u32)", err)
		}
		return vf.appendAll(debug.Params, "arg"), nil
	}

	for _, a := range v.Args {
		if list, err = vf.bindArgument(list, a, v.Args); err != nil {
			return nil, err
		}
	}
	for i := range list {
		if list[i].Type.Kind != probe.KindBuffer || list[i].Type.Length == "" {
			continue
		}
		at, extended, err := vf.findArgument(list, list[i].Type.Length, probe.Type{Name: "s64", Signed: true})
		if err != nil {
			return nil, err
		}
		if list = extended; list[at].Type.HasBytes() || list[at].Type.Kind == probe.KindFloat {
			return nil, fmt.Errorf("%q is not a number of bytes", list[i].Type.Length)
		}
		list[i].LengthAt = at + 1
	}
	return list, nil
}

// bindArgument appends one of the arguments that were asked for. all are all of them.
func (vf *Finder) bindArgument(list []Value, a probe.Argument, all []probe.Argument) ([]Value, error) {
	debug, err := vf.debugInfo()
	untyped := a.Type.Name == ""
	if a.Path != nil && err == nil {
		v, perr := vf.resolvePath(debug, *a.Path)
		if perr == nil {
			return vf.appendDescribed(list, a, v)
		}
		if untyped || a.Path.Steps != "" || !errors.Is(perr, dwarf.ErrMember) {
			return nil, perr
		}
	}
	if untyped || a.Path != nil && a.Path.Steps != "" {
		return nil, fmt.Errorf("%s: its type and location are not known: %w: give its type, as in (name:str, size:u32)", a.Name, err)
	}
	if err == nil {
		if a.Pos >= len(debug.Params) {
			return nil, fmt.Errorf("%s: the function has %d arguments", a.Name, len(debug.Params))
		}
		return vf.appendDescribed(list, a, debug.Params[a.Pos])
	}

	word := a.Pos
	if vf.IsGo { // a string takes two words
		for _, other := range all {
			if other.Pos < a.Pos && other.Type.Kind == probe.KindText {
				word++
			}
		}
	}
	return vf.appendWord(list, a, word, vf.convention().Argument)
}

// bindResults finds the results that a probe records.
func (vf *Finder) bindResults(v *probe.Values) (list []Value, err error) {
	debug, err := vf.debugInfo()
	switch {
	case v.AllResults && err != nil:
		return nil, fmt.Errorf("-> ...: %w: give the type, as in -> s32", err)
	case v.AllResults: // none if it returns nothing: a pattern matches all kinds of functions
		return vf.appendAll(debug.Results, "ret"), nil
	case v.Result == nil:
		return nil, nil
	}
	a := probe.Argument{Name: "ret", Type: *v.Result}
	if err == nil && len(debug.Results) > 0 {
		return vf.appendDescribed(nil, a, debug.Results[0])
	}
	if err == nil {
		return nil, errors.New("->: it returns nothing")
	}
	return vf.appendWord(nil, a, 0, vf.convention().Result)
}

// addErrno adds errno to the result of a function of the C library, if the result can say that the
// function failed.
func (vf *Finder) addErrno(results []Value) []Value {
	if len(results) != 1 || !results[0].Type.TellsFailure() && results[0].Type.Name != EAIName {
		return results
	}
	slot, ok := vf.File.ErrnoSlot()
	if !ok {
		return results
	}
	typ := probe.Type{Name: "errno", Kind: probe.KindErrno, Size: 4, Signed: true}
	return append(results, Value{
		Argument: probe.Argument{Name: "errno", Described: true, Type: typ},
		op:       abi.Operand{Text: "errno", Disp: int64(slot - vf.Site)},
	})
}

// appendAll returns all described values that can be fetched, as far as there is room. name is for
// those without a name.
func (vf *Finder) appendAll(values []dwarf.Value, name string) (list []Value) {
	for i, parts := range dwarf.Parts(values) {
		v := values[i]
		a := probe.Argument{Name: v.Name, Described: true}
		if a.Name == "" || name == "ret" && len(values) == 1 || strings.HasPrefix(a.Name, "~") {
			if a.Name = name; name == "arg" || len(values) > 1 {
				a.Name = fmt.Sprintf("%s%d", name, i+1)
			}
		}
		for _, part := range parts {
			wanted := a
			wanted.Name += strings.TrimPrefix(part.Name, v.Name)
			if extended, err := vf.appendDescribed(list, wanted, part); err == nil && len(extended) <= bpf.MaxArgs {
				list = extended
			}
		}
	}
	return list
}

// resolvePath returns the value that a path leads to.
func (vf *Finder) resolvePath(debug *dwarf.Signature, p probe.Path) (dwarf.Value, error) {
	v, err := debug.Find(p.Name)
	if err != nil {
		return v, err
	}
	if p.Steps == "" {
		return v, nil
	}
	if v, err = v.Member(p.Steps); err != nil {
		return v, fmt.Errorf("%s: %w", p, err)
	}
	return v, nil
}

// findArgument finds the argument that a condition or a length names: a recorded one, or a hidden
// one that it appends. like is the type to give an argument without debug information.
func (vf *Finder) findArgument(args []Value, name string, like probe.Type) (at int, extended []Value, err error) {
	for i, a := range args {
		if a.Name == name && (!a.Hidden || a.Type.HasBytes() == like.HasBytes()) {
			return i, args, nil
		}
	}

	debug, err := vf.debugInfo()
	n, numbered := probe.ArgumentNumber(name)
	switch {
	case numbered && n < 1:
		return 0, args, fmt.Errorf("%s: the arguments are arg1, arg2 and so on", name)
	case numbered && err == nil && n > len(debug.Params):
		return 0, args, fmt.Errorf("no argument is called %q: the function has %d", name, len(debug.Params))
	case numbered && err != nil:
		a := probe.Argument{Name: name, Pos: n - 1, Type: like, Hidden: true}
		extended, err := vf.appendWord(args, a, a.Pos, vf.convention().Argument)
		return len(args), extended, err
	case err != nil:
		names := make([]string, 0, len(args))
		for _, a := range args {
			names = append(names, a.Name)
		}
		return 0, args, fmt.Errorf("no argument is called %q%s: %w", name, suggest.Nearest(name, names), err)
	}

	var v dwarf.Value
	if numbered {
		v = debug.Params[n-1]
	} else {
		p, perr := probe.ParsePath(name)
		if perr != nil {
			return 0, args, perr
		}
		if v, err = vf.resolvePath(debug, p); err != nil {
			return 0, args, err
		}
	}
	a := probe.Argument{Name: name, Hidden: true}
	if like.Kind == probe.KindText && v.Kind == dwarf.Pointer {
		a.Type = like
	}
	extended, err = vf.appendDescribed(args, a, v)
	return len(args), extended, err
}

// findResult finds the result that a condition names: the recorded one, or a hidden one.
func (vf *Finder) findResult(list []Value, name string, like probe.Type) (at int, extended []Value, err error) {
	if len(list) > 0 {
		return 0, list, nil
	}
	debug, err := vf.debugInfo()
	switch {
	case err != nil:
		return 0, list, fmt.Errorf("the type of ret is not known: %w: give it, as in -> s32", err)
	case len(debug.Results) == 0:
		return 0, list, errors.New("ret: the function returns nothing")
	}
	extended, err = vf.appendDescribed(nil, probe.Argument{Name: name, Hidden: true}, debug.Results[0])
	return 0, extended, err
}
