package record

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"utrace/bpf"
	"utrace/record/internal/abi"
	"utrace/record/internal/dwarf"
	"utrace/record/internal/elffile"
	"utrace/record/internal/suggest"
)

// signature finds out where the values are that a probe wants of one function: from its debug information, or else by
// the calling convention, by which the first arguments lie in registers.
type signature struct {
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
func (s *signature) bind(v *values, returns bool, slowerThan time.Duration) (b boundValues, err error) {
	if !returns && (v.result != nil || v.results) {
		return b, errors.New("its return is not seen, so what it returns cannot be recorded")
	}
	if b.args, err = s.bindArguments(v); err != nil {
		return b, err
	}
	if b.results, err = s.bindResults(v); err != nil {
		return b, err
	}
	ends := endings{list: &b.results, duration: returns}
	if returns {
		ends.find = s.findResult
	}
	if !returns {
		slowerThan = 0
	}
	cond, args, err := bindCondition(slower(v.cond, slowerThan), b.args, s.findArgument, ends)
	if err == nil {
		b.args = args
		b.conds, err = cond.compile()
	}
	if err != nil {
		return b, fmt.Errorf("condition %q: %w", shorten(v.condText), err)
	}
	if v.result != nil || v.results {
		b.results = s.addErrno(b.results)
	}
	if n := max(len(b.args), len(b.results)); n > bpf.MaxArgs {
		return b, fmt.Errorf("%d values, those of conditions and lengths included: %d are the most", n, bpf.MaxArgs)
	}
	return b, nil
}

// known returns what the debug information says of the function.
func (s *signature) known() (*dwarf.Signature, error) {
	if !s.looked {
		s.looked = true
		s.debug, s.debugErr = s.file.Signature(s.fn, s.site)
	}
	return s.debug, s.debugErr
}

// bindArguments finds the arguments that a probe records, and the hidden ones that have their lengths.
func (s *signature) bindArguments(v *values) (list []argument, err error) {
	if v.all {
		debug, err := s.known()
		if err != nil {
			return nil, fmt.Errorf("(...): %w: name the arguments, as in (name:str, size:u32)", err)
		}
		return s.allOf(debug.Params, "arg"), nil
	}
	for _, a := range v.args {
		if list, err = s.bindArgument(list, a, v.args); err != nil {
			return nil, err
		}
	}
	for i := range list {
		if list[i].typ.kind != kindBuffer || list[i].typ.length == "" {
			continue
		}
		at, more, err := s.findArgument(list, list[i].typ.length, valueType{name: "s64", signed: true})
		if err != nil {
			return nil, err
		}
		if list = more; list[at].typ.hasBytes() || list[at].typ.kind == kindFloat {
			return nil, fmt.Errorf("%q is not a number of bytes", list[i].typ.length)
		}
		list[i].lengthAt = at + 1
	}
	return list, nil
}

// bindArgument finds one of the arguments that were asked for, declared.
func (s *signature) bindArgument(list []argument, a argument, declared []argument) ([]argument, error) {
	debug, err := s.known()
	untyped := a.typ.name == ""
	if a.path != nil && err == nil {
		v, ferr := s.follow(debug, *a.path)
		if ferr == nil {
			return s.appendValueAs(list, a, v)
		}
		if untyped || a.path.steps != "" || !errors.Is(ferr, dwarf.ErrMember) {
			return nil, ferr
		}
	}
	if untyped || a.path != nil && a.path.steps != "" {
		return nil, fmt.Errorf("%s: its type and place are not known: %w: say it, as in (name:str, size:u32)", a.name, err)
	}
	if err == nil {
		if a.pos >= len(debug.Params) {
			return nil, fmt.Errorf("%s: the function has %d arguments", a.name, len(debug.Params))
		}
		return s.appendValueAs(list, a, debug.Params[a.pos])
	}
	word := a.pos
	if s.isGo { // a string is two words
		for _, other := range declared {
			if other.pos < a.pos && other.typ.kind == kindText {
				word++
			}
		}
	}
	return s.appendWord(list, a, word, s.convention().Argument)
}

// bindResults finds what a probe records of what the function returns.
func (s *signature) bindResults(v *values) (list []argument, err error) {
	debug, err := s.known()
	switch {
	case v.results && err != nil:
		return nil, fmt.Errorf("-> ...: %w: say the type, as in -> s32", err)
	case v.results: // nothing, if it returns nothing: a pattern matches all kinds of functions
		return s.allOf(debug.Results, "ret"), nil
	case v.result == nil:
		return nil, nil
	}
	a := argument{name: "ret", typ: *v.result}
	if err == nil && len(debug.Results) > 0 {
		return s.appendValueAs(nil, a, debug.Results[0])
	}
	if err == nil {
		return nil, errors.New("->: it returns nothing")
	}
	return s.appendWord(nil, a, 0, s.convention().Result)
}

// addErrno adds to what a function of the C library returns, if it can tell a failure, why it has failed.
func (s *signature) addErrno(results []argument) []argument {
	if len(results) != 1 || !results[0].typ.tellsFailure() {
		return results
	}
	slot, ok := s.file.ErrnoSlot()
	if !ok {
		return results
	}
	return append(results, argument{
		name: "errno", described: true, typ: valueType{name: "errno", kind: kindErrno, size: 4, signed: true},
		op: abi.Operand{Text: "errno", Disp: int64(slot - s.site)},
	})
}

// tellsFailure reports whether a result can be one that means failure: negative, or no address.
func (t valueType) tellsFailure() bool {
	return t.kind == kindNumber && t.signed || t.kind == kindHex || t.kind == kindText
}

// allOf returns all values that can be fetched, as far as there is room.
func (s *signature) allOf(values []dwarf.Value, name string) (list []argument) {
	for i, parts := range dwarf.Parts(values) {
		v := values[i]
		a := argument{name: v.Name, described: true}
		if a.name == "" || name == "ret" && len(values) == 1 || strings.HasPrefix(a.name, "~") {
			if a.name = name; name == "arg" || len(values) > 1 {
				a.name = fmt.Sprintf("%s%d", name, i+1)
			}
		}
		for _, part := range parts {
			with := a
			with.name += strings.TrimPrefix(part.Name, v.Name)
			if more, err := s.appendValueAs(list, with, part); err == nil && len(more) <= bpf.MaxArgs {
				list = more
			}
		}
	}
	return list
}

// follow returns what a path leads to.
func (s *signature) follow(debug *dwarf.Signature, p path) (dwarf.Value, error) {
	v, err := debug.Find(p.name)
	if err != nil {
		return v, err
	}
	if p.steps == "" {
		return v, nil
	}
	if v, err = v.Member(p.steps); err != nil {
		return v, fmt.Errorf("%s: %w", p, err)
	}
	return v, nil
}

// findArgument finds an argument for a condition or a length: one that is recorded, or else a hidden one.
func (s *signature) findArgument(args []argument, name string, like valueType) (int, []argument, error) {
	for i, a := range args {
		if a.name == name && (!a.hidden || a.typ.hasBytes() == like.hasBytes()) {
			return i, args, nil
		}
	}
	debug, err := s.known()
	n, numbered := argumentNumber(name)
	switch {
	case numbered && n < 1:
		return 0, args, fmt.Errorf("%s: the arguments are arg1, arg2 and so on", name)
	case numbered && err == nil && n > len(debug.Params):
		return 0, args, fmt.Errorf("no argument is called %q: the function has %d", name, len(debug.Params))
	case numbered && err != nil:
		a := argument{name: name, pos: n - 1, typ: like, hidden: true}
		with, err := s.appendWord(args, a, a.pos, s.convention().Argument)
		return len(args), with, err
	case err != nil:
		names := make([]string, 0, len(args))
		for _, a := range args {
			names = append(names, a.name)
		}
		return 0, args, fmt.Errorf("no argument is called %q%s: %w", name, suggest.Nearest(name, names), err)
	}
	var v dwarf.Value
	if numbered {
		v = debug.Params[n-1]
	} else {
		p, perr := parsePath(name)
		if perr != nil {
			return 0, args, perr
		}
		if v, err = s.follow(debug, p); err != nil {
			return 0, args, err
		}
	}
	a := argument{name: name, hidden: true}
	if like.kind == kindText && v.Kind == dwarf.Pointer {
		a.typ = like
	}
	with, err := s.appendValueAs(args, a, v)
	return len(args), with, err
}

// findResult finds what the function returns.
func (s *signature) findResult(list []argument, name string, like valueType) (int, []argument, error) {
	if len(list) > 0 {
		return 0, list, nil
	}
	debug, err := s.known()
	switch {
	case err != nil:
		return 0, list, fmt.Errorf("of which type ret is, is not known: %w: say it, as in -> s32", err)
	case len(debug.Results) == 0:
		return 0, list, errors.New("ret: the function returns nothing")
	}
	with, err := s.appendValueAs(nil, argument{name: name, hidden: true}, debug.Results[0])
	return 0, with, err
}
