package record

import (
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/target"
)

// signature finds out where the values are that a probe wants of one function: from its debug information, or else by
// the calling convention, by which the first arguments lie in registers.
type signature struct {
	file *target.File
	fn   target.Func
	site target.Addr // where its entry is probed: all is still as it was when it was called
	isGo bool

	debug    *target.Signature // nil if there is none
	debugErr error
	looked   bool
}

// boundValues are the values of a probe, found in one function.
type boundValues struct {
	args, results []argument
	conds         []bpf.Cond
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
func (s *signature) known() (*target.Signature, error) {
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
		if untyped || a.path.steps != "" || !errors.Is(ferr, target.ErrMember) {
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
	return s.appendWord(list, a, word, s.parameterPlace)
}

// bindResults finds what a probe records of what the function returns.
func (s *signature) bindResults(v *values) (list []argument, err error) {
	debug, err := s.known()
	switch {
	case v.results && err != nil:
		return nil, fmt.Errorf("-> ...: %w: say the type, as in -> s32", err)
	case v.results && len(debug.Results) == 0:
		return nil, errors.New("-> ...: it returns nothing")
	case v.results:
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
	return s.appendWord(nil, a, 0, s.resultPlace)
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
		op: target.Operand{Text: "errno", Disp: int64(slot - s.site)},
	})
}

// tellsFailure reports whether a result can be one that means failure: negative, or no address.
func (t valueType) tellsFailure() bool {
	return t.kind == kindNumber && t.signed || t.kind == kindHex || t.kind == kindText
}

// allOf returns all values that can be fetched, as far as there is room.
func (s *signature) allOf(values []target.Value, name string) (list []argument) {
	for i, v := range values {
		a := argument{name: v.Name, described: true}
		if a.name == "" || name == "ret" && len(values) == 1 || strings.HasPrefix(a.name, "~") {
			if a.name = name; name == "arg" || len(values) > 1 {
				a.name = fmt.Sprintf("%s%d", name, i+1)
			}
		}
		for _, part := range v.Parts() {
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
func (s *signature) follow(debug *target.Signature, p path) (target.Value, error) {
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
	case numbered && (n < 1 || err == nil && n > len(debug.Params)):
		return 0, args, fmt.Errorf("no argument is called %q: the function has %d", name, len(debug.Params))
	case numbered && err != nil:
		a := argument{name: name, pos: n - 1, typ: like, hidden: true}
		with, err := s.appendWord(args, a, a.pos, s.parameterPlace)
		return len(args), with, err
	case err != nil:
		names := make([]string, 0, len(args))
		for _, a := range args {
			names = append(names, a.name)
		}
		return 0, args, fmt.Errorf("no argument is called %q%s: %w", name, target.Nearest(name, names), err)
	}
	var v target.Value
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
	if like.kind == kindText && (v.Kind == target.Pointer || v.Kind == target.Int) {
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

// appendWord appends an argument that is in a word of the calling convention; a Go string has two.
func (s *signature) appendWord(list []argument, a argument, word int, place func(word int) (target.Operand, error)) ([]argument, error) {
	var err error
	if a.typ.kind == kindFloat {
		return nil, fmt.Errorf("%s: it is in a floating-point register, which a probe cannot read", a.name)
	}
	if a.op, err = place(word); err != nil {
		return nil, fmt.Errorf("%s: %w", a.name, err)
	}
	if a.typ.size != 0 && !a.typ.hasBytes() {
		a.op.Size, a.op.Signed = a.typ.size, a.typ.signed
	}
	at := len(list)
	list = append(append([]argument(nil), list...), a)
	if s.isGo && a.typ.kind == kindText {
		length, err := place(word + 1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		list = appendLength(list, at, length)
	}
	return list, nil
}

// appendLength makes an argument a text of a length that is elsewhere.
func appendLength(list []argument, at int, length target.Operand) []argument {
	a := &list[at]
	list = append(list, argument{
		name: "len(" + a.name + ")", pos: a.pos, hidden: true, op: length, described: a.described,
		typ: valueType{name: "s64", signed: true, size: 8},
	})
	list[at].typ.isText = list[at].typ.kind == kindText
	list[at].typ.kind, list[at].lengthAt = kindBuffer, len(list)
	return list
}

// appendValueAs appends an argument that the debug information knows, with the type that was asked for, if any.
func (s *signature) appendValueAs(list []argument, a argument, v target.Value) ([]argument, error) {
	if v.Why != "" {
		return nil, fmt.Errorf("%s (%s): %s", a.name, v.TypeName, v.Why)
	}
	a.op = v.At
	asked := a.typ.name != ""
	if !asked {
		var err error
		if a.typ, err = typeOf(v); err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		if a.typ.kind == kindTypeName {
			a.typ.typeName = goTypeNames(s.file)
		}
	}
	counted := v.Length != nil && v.Kind != target.CString
	switch {
	case v.Kind == target.Aggregate:
		return nil, fmt.Errorf("%s (%s): record its members, as in %s.NAME", a.name, v.TypeName, a.name)
	case v.Kind == target.Slice && !asked:
		a.op = *v.Length
	case a.typ.kind == kindFloat && v.Kind != target.Float && a.op.Kind == target.InRegister:
		return nil, fmt.Errorf("%s: it is a %s, not a floating-point number", a.name, v.TypeName)
	case a.typ.hasBytes() && counted && a.typ.length == "":
		list = append(append([]argument(nil), list...), a)
		return appendLength(list, len(list)-1, *v.Length), nil
	case a.typ.kind == kindText && v.Kind == target.CString && v.Length != nil && v.Length.Kind == target.Constant: // an array
		a.typ.array = max(1, min(int(v.Length.Disp), bpf.MaxText))
	case asked && !a.typ.hasBytes():
		a.op.Size, a.op.Signed = a.typ.size, a.typ.signed
		if v.At.Kind == target.InRegister && a.op.Size > 8-v.At.Shift/8 {
			a.op.Size = v.At.Size
		}
	}
	return append(append([]argument(nil), list...), a), nil
}

// goTypeNames returns what tells the names of the types of a Go program by their addresses, for one goroutine. In a program that is
// loaded elsewhere than its file says the address itself stands for it.
func goTypeNames(file *target.File) func(address uint64) string {
	known := map[uint64]string{}
	return func(address uint64) string {
		name, ok := known[address]
		if !ok {
			var err error
			if name, err = file.GoTypeName(target.Addr(address)); err != nil {
				name = fmt.Sprintf("%#x", address)
			}
			if len(known) < maxTypeNames {
				known[address] = name
			}
		}
		return name
	}
}

// maxTypeNames bounds the names of types that are kept.
const maxTypeNames = 1 << 14

// typeOf returns the type of the probe language for a value.
func typeOf(v target.Value) (valueType, error) {
	t := valueType{size: v.At.Size, signed: v.At.Signed}
	letter := "u"
	if t.signed {
		letter = "s"
	}
	switch v.Kind {
	case target.Int:
		t.name = fmt.Sprintf("%s%d", letter, 8*t.size)
	case target.Bool:
		t.name, t.kind = "bool", kindBool
	case target.Char:
		if t.name, t.kind = "char", kindChar; t.size != 1 {
			t.name, t.kind = fmt.Sprintf("%s%d", letter, 8*t.size), kindNumber
		}
	case target.Float:
		t.name, t.kind = fmt.Sprintf("f%d", 8*t.size), kindFloat
	case target.Enum:
		t.name, t.kind, t.names = v.TypeName, kindEnum, map[int64]string{}
		if !strings.HasPrefix(t.name, "enum ") {
			t.name = "enum " + t.name
		}
		for _, e := range v.Enum {
			if _, ok := t.names[e.Value]; !ok {
				t.names[e.Value] = e.Name
			}
		}
	case target.Pointer:
		t.name, t.kind = "ptr", kindHex
	case target.CString, target.Text:
		t.name, t.kind, t.max = "str", kindText, defaultText
	case target.Bytes:
		t.name, t.kind, t.max = "buf", kindBuffer, defaultText
	case target.Slice:
		t.name, t.size, t.signed = "s64", 8, true
	case target.Interface:
		t.name, t.kind = "type", kindTypeName
	case target.Aggregate:
		t.name = v.TypeName
	default:
		return t, fmt.Errorf("its type (%s) is not understood", v.TypeName)
	}
	return t, nil
}

// Words of struct pt_regs, see target.Register.
func (s *signature) argumentRegisters() []target.Register {
	switch {
	case s.file.Machine == elf.EM_AARCH64 && s.isGo: // x0 to x15
		return []target.Register{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	case s.file.Machine == elf.EM_AARCH64:
		return []target.Register{0, 1, 2, 3, 4, 5, 6, 7}
	case s.isGo: // rax rbx rcx rdi rsi r8 r9 r10 r11 (cmd/compile/abi-internal.md)
		return []target.Register{10, 5, 11, 14, 13, 9, 8, 7, 6}
	}
	return []target.Register{14, 13, 12, 11, 9, 8} // rdi rsi rdx rcx r8 r9 (System V ABI, AMD64 supplement, 3.2.3)
}

// parameterPlace returns where a word of the arguments is by the calling convention.
func (s *signature) parameterPlace(word int) (target.Operand, error) {
	op := target.Operand{Size: 8, Kind: target.InRegister, Base: target.NoRegister, Index: target.NoRegister, Scale: 1}
	regs := s.argumentRegisters()
	if word < len(regs) {
		op.Base = regs[word]
		return op, nil
	}
	if s.isGo {
		return op, errors.New("it is on the stack: where is only known with debug information")
	}
	op.Kind, op.Base, op.Disp = target.InMemory, 19, 8+8*int64(word-len(regs)) // behind the return address
	if s.file.Machine == elf.EM_AARCH64 {
		op.Base, op.Disp = 31, 8*int64(word-len(regs))
	}
	return op, nil
}

// resultPlace returns where a word of what a function returns is by the calling convention.
func (s *signature) resultPlace(word int) (target.Operand, error) {
	op := target.Operand{Size: 8, Kind: target.InRegister, Base: 10, Index: target.NoRegister, Scale: 1}
	switch {
	case s.isGo || s.file.Machine == elf.EM_AARCH64:
		op.Base = s.argumentRegisters()[word]
	case word == 1:
		op.Base = 12 // rdx
	}
	return op, nil
}

// fetch says how to fetch the values, at their site.
func (b *boundValues) fetch(list []argument, site *bpf.Site, addr target.Addr, machine elf.Machine) {
	site.NumArgs = uint8(len(list))
	for i, a := range list {
		site.Args[i] = fetchArg(a, a.op, addr, machine)
		if a.lengthAt > 0 {
			site.Args[i].LengthArg = uint8(a.lengthAt - 1)
		}
	}
}

// sites returns what to do at the entry of a function, and at its return. Either is nil where nothing but the time is
// wanted.
func (b *boundValues) sites(template bpf.Site, hit bool, addr target.Addr, machine elf.Machine) (entry, exit *bpf.Site) {
	followed := template.Flags&bpf.SiteFollowed != 0
	errno := slices.ContainsFunc(b.results, func(a argument) bool { return a.typ.kind == kindErrno })
	if errno {
		template.Flags |= bpf.SiteThread
	}
	if !hit && !followed && len(b.conds) > 0 {
		template.Flags |= bpf.SitePaired
	}
	template.NumConds = uint8(copy(template.Conds[:], b.conds))
	if len(b.args) > 0 || len(b.conds) > 0 || followed || errno {
		with := template
		if hit {
			with.Kind = format.Hit
		}
		b.fetch(b.args, &with, addr, machine)
		entry = &with
	}
	if !hit && (len(b.results) > 0 || len(b.conds) > 0 || followed) {
		with := template
		with.Kind = format.Return
		if !followed { // they have been decided on at the entry
			with.NumConds = 0
		}
		b.fetch(b.results, &with, addr, machine)
		exit = &with
	}
	return entry, exit
}

// describe says for people what the values are and where.
func (b *boundValues) describe(cond string, machine elf.Machine) (list []string) {
	add := func(values []argument, arrow string) {
		for _, a := range values {
			if !a.hidden {
				list = append(list, fmt.Sprintf("%s%s:%s in %s", arrow, a.name, a.typ.name, a.op.PlaceName(machine)))
			}
		}
	}
	add(b.args, "")
	add(b.results, "-> ")
	if cond != "" {
		list = append(list, "if "+cond)
	}
	return list
}
