package plan

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

// signature finds out where the values are that a probe wants of one function: from its debug information, or else by
// the calling convention, by which the first arguments lie in registers.
type valueFinder struct {
	file *elffile.File
	fn   elffile.Func
	site abi.Addr // where its entry is probed: all is still as it was when it was called
	isGo bool

	debug    *dwarf.Signature // nil if there is none
	debugErr error
	looked   bool
}

// bind finds the values of a probe. returns says that the function's return is seen; slowerThan, unless it is 0, is how long
// calls must take to be kept.
func (s *valueFinder) bind(v *probe.Values, returns bool, slowerThan time.Duration) (b boundValues, err error) {
	if !returns && (v.Result != nil || v.AllResults) {
		return b, errors.New("its return is not seen, so what it returns cannot be recorded")
	}
	if b.args, err = s.bindArguments(v); err != nil {
		return b, err
	}
	if b.results, err = s.bindResults(v); err != nil {
		return b, err
	}
	end := probe.End{Duration: returns}
	if returns {
		end.Results = boundValueScope{&b.results, s.findResult}
	} else {
		slowerThan = 0
	}
	cond, err := probe.Bind(probe.AtLeast(v.Condition, slowerThan), boundValueScope{&b.args, s.findArgument}, end)
	if err != nil {
		return b, fmt.Errorf("condition %q: %w", probe.Shorten(v.ConditionText), err)
	}
	b.conds = compile(cond)
	if v.Result != nil || v.AllResults {
		b.results = s.addErrno(b.results)
	}
	if n := max(len(b.args), len(b.results)); n > bpf.MaxArgs {
		return b, fmt.Errorf("%d values, those of conditions and lengths included: %d are the most", n, bpf.MaxArgs)
	}
	return b, nil
}

// known returns what the debug information says of the function.
func (s *valueFinder) debugInfo() (*dwarf.Signature, error) {
	if !s.looked {
		s.looked = true
		s.debug, s.debugErr = s.file.Signature(s.fn, s.site)
	}
	return s.debug, s.debugErr
}

// bindArguments finds the arguments that a probe records, and the hidden ones that have their lengths.
func (s *valueFinder) bindArguments(v *probe.Values) (list []boundArgument, err error) {
	if v.All {
		debug, err := s.debugInfo()
		if err != nil {
			return nil, fmt.Errorf("(...): %w: name the arguments, as in (name:str, size:u32)", err)
		}
		return s.allOf(debug.Params, "arg"), nil
	}
	for _, a := range v.Args {
		if list, err = s.bindArgument(list, a, v.Args); err != nil {
			return nil, err
		}
	}
	for i := range list {
		if list[i].Type.Kind != probe.KindBuffer || list[i].Type.Length == "" {
			continue
		}
		at, more, err := s.findArgument(list, list[i].Type.Length, probe.Type{Name: "s64", Signed: true})
		if err != nil {
			return nil, err
		}
		if list = more; list[at].Type.HasBytes() || list[at].Type.Kind == probe.KindFloat {
			return nil, fmt.Errorf("%q is not a number of bytes", list[i].Type.Length)
		}
		list[i].LengthAt = at + 1
	}
	return list, nil
}

// bindArgument finds one of the arguments that were asked for, declared.
func (s *valueFinder) bindArgument(list []boundArgument, a probe.Argument, declared []probe.Argument) ([]boundArgument, error) {
	debug, err := s.debugInfo()
	untyped := a.Type.Name == ""
	if a.Path != nil && err == nil {
		v, ferr := s.follow(debug, *a.Path)
		if ferr == nil {
			return s.appendValueAs(list, a, v)
		}
		if untyped || a.Path.Steps != "" || !errors.Is(ferr, dwarf.ErrMember) {
			return nil, ferr
		}
	}
	if untyped || a.Path != nil && a.Path.Steps != "" {
		return nil, fmt.Errorf("%s: its type and place are not known: %w: say it, as in (name:str, size:u32)", a.Name, err)
	}
	if err == nil {
		if a.Pos >= len(debug.Params) {
			return nil, fmt.Errorf("%s: the function has %d arguments", a.Name, len(debug.Params))
		}
		return s.appendValueAs(list, a, debug.Params[a.Pos])
	}
	word := a.Pos
	if s.isGo { // a string is two words
		for _, other := range declared {
			if other.Pos < a.Pos && other.Type.Kind == probe.KindText {
				word++
			}
		}
	}
	return s.appendWord(list, a, word, s.convention().Argument)
}

// bindResults finds what a probe records of what the function returns.
func (s *valueFinder) bindResults(v *probe.Values) (list []boundArgument, err error) {
	debug, err := s.debugInfo()
	switch {
	case v.AllResults && err != nil:
		return nil, fmt.Errorf("-> ...: %w: say the type, as in -> s32", err)
	case v.AllResults: // nothing, if it returns nothing: a pattern matches all kinds of functions
		return s.allOf(debug.Results, "ret"), nil
	case v.Result == nil:
		return nil, nil
	}
	a := probe.Argument{Name: "ret", Type: *v.Result}
	if err == nil && len(debug.Results) > 0 {
		return s.appendValueAs(nil, a, debug.Results[0])
	}
	if err == nil {
		return nil, errors.New("->: it returns nothing")
	}
	return s.appendWord(nil, a, 0, s.convention().Result)
}

// addErrno adds to what a function of the C library returns, if it can tell a failure, why it has failed.
func (s *valueFinder) addErrno(results []boundArgument) []boundArgument {
	if len(results) != 1 || !results[0].Type.TellsFailure() {
		return results
	}
	slot, ok := s.file.ErrnoSlot()
	if !ok {
		return results
	}
	return append(results, boundArgument{
		Argument: probe.Argument{Name: "errno", Described: true, Type: probe.Type{Name: "errno", Kind: probe.KindErrno, Size: 4, Signed: true}},
		op:       abi.Operand{Text: "errno", Disp: int64(slot - s.site)},
	})
}

// allOf returns all values that can be fetched, as far as there is room.
func (s *valueFinder) allOf(values []dwarf.Value, name string) (list []boundArgument) {
	for i, parts := range dwarf.Parts(values) {
		v := values[i]
		a := probe.Argument{Name: v.Name, Described: true}
		if a.Name == "" || name == "ret" && len(values) == 1 || strings.HasPrefix(a.Name, "~") {
			if a.Name = name; name == "arg" || len(values) > 1 {
				a.Name = fmt.Sprintf("%s%d", name, i+1)
			}
		}
		for _, part := range parts {
			with := a
			with.Name += strings.TrimPrefix(part.Name, v.Name)
			if more, err := s.appendValueAs(list, with, part); err == nil && len(more) <= bpf.MaxArgs {
				list = more
			}
		}
	}
	return list
}

// follow returns what a path leads to.
func (s *valueFinder) follow(debug *dwarf.Signature, p probe.Path) (dwarf.Value, error) {
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

// findArgument finds an argument for a condition or a length: one that is recorded, or else a hidden one.
func (s *valueFinder) findArgument(args []boundArgument, name string, like probe.Type) (int, []boundArgument, error) {
	for i, a := range args {
		if a.Name == name && (!a.Hidden || a.Type.HasBytes() == like.HasBytes()) {
			return i, args, nil
		}
	}
	debug, err := s.debugInfo()
	n, numbered := probe.ArgumentNumber(name)
	switch {
	case numbered && n < 1:
		return 0, args, fmt.Errorf("%s: the arguments are arg1, arg2 and so on", name)
	case numbered && err == nil && n > len(debug.Params):
		return 0, args, fmt.Errorf("no argument is called %q: the function has %d", name, len(debug.Params))
	case numbered && err != nil:
		a := probe.Argument{Name: name, Pos: n - 1, Type: like, Hidden: true}
		with, err := s.appendWord(args, a, a.Pos, s.convention().Argument)
		return len(args), with, err
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
		if v, err = s.follow(debug, p); err != nil {
			return 0, args, err
		}
	}
	a := probe.Argument{Name: name, Hidden: true}
	if like.Kind == probe.KindText && v.Kind == dwarf.Pointer {
		a.Type = like
	}
	with, err := s.appendValueAs(args, a, v)
	return len(args), with, err
}

// findResult finds what the function returns.
func (s *valueFinder) findResult(list []boundArgument, name string, like probe.Type) (int, []boundArgument, error) {
	if len(list) > 0 {
		return 0, list, nil
	}
	debug, err := s.debugInfo()
	switch {
	case err != nil:
		return 0, list, fmt.Errorf("of which type ret is, is not known: %w: say it, as in -> s32", err)
	case len(debug.Results) == 0:
		return 0, list, errors.New("ret: the function returns nothing")
	}
	with, err := s.appendValueAs(nil, probe.Argument{Name: name, Hidden: true}, debug.Results[0])
	return 0, with, err
}
