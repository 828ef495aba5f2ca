package record

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/scanner"
	"time"
	"unicode"

	"utrace/bpf"
	"utrace/record/internal/target"
)

// condition is a parsed CONDITION of a probe: either a comparison, or two conditions
// joined.
type condition struct {
	op     condOp
	a, b   *condition // of and, or; a also of not
	name   string     // of a comparison: the argument, or the path to what is compared
	number uint64
	signed bool // number was written with a minus
	text   string
	isText bool
	isTime bool // number is nanoseconds, as in 10ms
	isOurs bool // name is never that of an argument
	offset int  // in the text of the condition

	// Of a bound one: which argument, or a bpf.Cond…; late says of the result, when the function returns, and typ what it is.
	arg  uint8
	late bool
	typ  valueType
}

type condOp uint8

const (
	opAnd condOp = iota
	opOr
	opNot
	opEqual
	opLess
	opLessOrEqual
	opGlob
)

// maxConditionDepth bounds the parentheses and ! of a condition.
const maxConditionDepth = 100

// parseCondition parses
//
//	CONDITION = AND { "||" AND }     AND = NOT { "&&" NOT }     NOT = { "!" } ( "(" CONDITION ")" | COMPARISON )
//	COMPARISON = NAME [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "=~") VALUE ]
//
// where NAME may be a path such as req->len, and VALUE is a number, a time such as 1.5ms, a 'c'haracter or a "text". A
// NAME by itself is true unless it is 0.
func parseCondition(text string) (*condition, error) {
	p := &conditionParser{}
	p.s.Init(strings.NewReader(text))
	p.s.Mode = scanner.ScanIdents | scanner.ScanInts | scanner.ScanFloats | scanner.ScanChars | scanner.ScanStrings | scanner.ScanRawStrings
	p.s.Error = func(_ *scanner.Scanner, msg string) { p.fail("%s", msg) }
	p.next()
	c := p.or(0)
	if p.err == nil && p.tok != scanner.EOF {
		p.fail("%q is not expected here", p.s.TokenText())
	}
	return c, p.err
}

type conditionParser struct {
	s   scanner.Scanner
	tok rune
	err error
}

func (p *conditionParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("at %d: %s", p.s.Position.Offset+1, fmt.Sprintf(format, args...))
	}
}

func (p *conditionParser) next() { p.tok = p.s.Scan() }

// accept takes a token of one or two characters if it comes next.
func (p *conditionParser) accept(token string) bool {
	if p.tok != rune(token[0]) {
		return false
	}
	if len(token) == 2 {
		if p.s.Peek() != rune(token[1]) {
			return false
		}
		p.next()
	}
	p.next()
	return true
}

func (p *conditionParser) or(depth int) *condition {
	c := p.and(depth)
	for p.err == nil && p.accept("||") {
		c = &condition{op: opOr, a: c, b: p.and(depth)}
	}
	return c
}

func (p *conditionParser) and(depth int) *condition {
	c := p.not(depth)
	for p.err == nil && p.accept("&&") {
		c = &condition{op: opAnd, a: c, b: p.not(depth)}
	}
	return c
}

func (p *conditionParser) not(depth int) *condition {
	switch {
	case depth > maxConditionDepth:
		p.fail("nested too deeply")
		return nil
	case p.accept("!"):
		return &condition{op: opNot, a: p.not(depth + 1)}
	case p.accept("("):
		c := p.or(depth + 1)
		if p.err == nil && !p.accept(")") {
			p.fail("a ) is missing")
		}
		return c
	}
	return p.comparison()
}

func (p *conditionParser) comparison() *condition {
	c := &condition{offset: p.s.Position.Offset}
	star := p.accept("*")
	if p.tok != scanner.Ident {
		what := "the end"
		if p.tok != scanner.EOF {
			what = strconv.Quote(p.s.TokenText())
		}
		p.fail("the name of an argument is expected, not %s", what)
		return nil
	}
	c.name = p.path()
	if star {
		c.name = "*" + c.name
	}
	not, swapped := false, false
	switch {
	case p.accept("=="):
		c.op = opEqual
	case p.accept("=~"):
		c.op = opGlob
	case p.accept("!="):
		c.op, not = opEqual, true
	case p.accept("<="):
		c.op = opLessOrEqual
	case p.accept(">="):
		c.op, swapped = opLess, true // not less
	case p.accept("<"):
		c.op = opLess
	case p.accept(">"):
		c.op, swapped = opLessOrEqual, true
	default:
		c.op = opEqual // to 0, and not that
		return &condition{op: opNot, a: c}
	}
	p.value(c)
	if not || swapped {
		return &condition{op: opNot, a: c}
	}
	return c
}

// path reads NAME{->NAME|.NAME|[NUMBER]}.
func (p *conditionParser) path() string {
	name := p.s.TokenText()
	p.next()
	for p.err == nil {
		switch {
		case p.tok == '-' && p.s.Peek() == '>':
			p.accept("->")
			name += "->" + p.s.TokenText()
		case p.accept("."):
			name += "." + p.s.TokenText()
		case p.accept("["):
			name += "[" + p.s.TokenText() + "]"
			if p.tok != scanner.Int {
				p.fail("a number is expected in the brackets")
				return name
			}
			p.next()
			if p.tok != ']' {
				p.fail("a ] is missing")
				return name
			}
			p.next()
			continue
		default:
			return name
		}
		if p.tok != scanner.Ident {
			p.fail("the name of a member is expected behind %q", strings.TrimSuffix(name, p.s.TokenText()))
			return name
		}
		p.next()
	}
	return name
}

// time reads the unit behind a number, and returns nanoseconds.
func (p *conditionParser) time(number string) uint64 {
	p.next()
	v, err := strconv.ParseFloat(number, 64)
	ns := v * unit(p.s.TokenText())
	switch {
	case err != nil || unit(p.s.TokenText()) == 0:
		p.fail("%s%s is neither a number nor a time, such as 10us, 1.5ms or 2s", number, p.s.TokenText())
	case ns >= 1<<62:
		p.fail("%s%s is too long a time", number, p.s.TokenText())
	default:
		return uint64(ns)
	}
	return 0
}

// unit returns how many nanoseconds a unit of time has, 0 for what is none.
func unit(name string) float64 {
	return map[string]float64{"ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9}[name]
}

// value reads what a comparison compares with.
func (p *conditionParser) value(c *condition) {
	negative := p.accept("-")
	text := p.s.TokenText()
	var err error
	read := p.tok
	switch p.tok {
	case scanner.Int, scanner.Float:
		if unicode.IsLetter(p.s.Peek()) {
			c.isTime = true
			c.number = p.time(text)
		} else if p.tok == scanner.Float {
			p.fail("%s: a whole number is expected, or a time such as 1.5ms", text)
		} else if negative {
			var v int64
			v, err = strconv.ParseInt("-"+text, 0, 64)
			c.number, c.signed = uint64(v), true
		} else {
			c.number, err = strconv.ParseUint(text, 0, 64)
		}
	case scanner.Char:
		var r rune
		if r, _, _, err = strconv.UnquoteChar(text[1:], '\''); err == nil {
			c.number = uint64(r)
		}
	case scanner.String, scanner.RawString:
		c.isText = true
		c.text, err = strconv.Unquote(text)
	default:
		p.fail("a number or a \"text\" is expected behind the comparison")
		return
	}
	switch {
	case errors.Is(err, strconv.ErrRange):
		p.fail("%s is not a number of 64 bits", text)
	case err != nil:
		p.fail("%s is not understood", text)
	case negative && (read != scanner.Int || c.isTime):
		p.fail("a - in front of %s", text)
	case c.op == opGlob && !c.isText:
		p.fail("=~ compares with a \"pattern\"")
	case c.op == opGlob && strings.Contains(c.text, "["):
		p.fail("%q: patterns here know * and ?, and no [sets]", c.text)
	case c.isText && c.op != opEqual && c.op != opGlob:
		p.fail("a text is compared by ==, != or =~")
	case c.isText && len(c.text) > bpf.MaxPattern:
		p.fail("a text of %d bytes: %d is the most", len(c.text), bpf.MaxPattern)
	}
	p.next()
}

// finder returns which of the arguments has a name, which it may add as a hidden one; see findArgument.
type finder func(args []argument, name string, like valueType) (at int, with []argument, err error)

// endings are what conditions can compare when a function returns, or a span ends.
type endings struct {
	list     *[]argument // of the function
	find     finder      // nil: there are none
	duration bool        // there is an end, so that there is a duration
}

// bind finds the arguments that a condition names, and adds those that are not recorded as hidden ones. It returns a
// condition that can be compiled.
func (c *condition) bind(args []argument, find finder, ends endings) (bound *condition, with []argument, err error) {
	if c == nil {
		return nil, args, nil
	}
	b := *c
	if c.op <= opNot {
		if b.a, args, err = c.a.bind(args, find, ends); err != nil || c.b == nil {
			return &b, args, err
		}
		b.b, args, err = c.b.bind(args, find, ends)
		return &b, args, err
	}
	fail := func(format string, values ...any) (*condition, []argument, error) {
		return nil, args, fmt.Errorf("at %d: %w", c.offset+1, fmt.Errorf(format, values...))
	}
	named := slices.ContainsFunc(args, func(a argument) bool { return a.name == c.name && !a.hidden })
	special, isSpecial := map[string]uint8{"pid": bpf.CondPID, "tid": bpf.CondTID, "comm": bpf.CondComm, "duration": bpf.CondDuration}[c.name]
	like := valueType{name: "s64", signed: true} // and its size as the probe has it
	if c.isText {
		like = valueType{name: "str", kind: kindText, size: 8, max: defaultText}
	}
	at := 0
	switch {
	case isSpecial && (!named || c.isOurs):
		switch {
		case c.isText != (special == bpf.CondComm):
			return fail("%s is compared with a %s", c.name, map[bool]string{true: "number", false: `"text"`}[c.isText])
		case special == bpf.CondDuration && !ends.duration:
			return fail("duration: a probe that has no return has none")
		case special == bpf.CondDuration && !c.isTime && c.number != 0:
			return fail("duration is compared with a time, such as 10ms")
		}
		b.arg, b.late, b.typ = special, special == bpf.CondDuration, valueType{name: "u64", size: 8}
		return &b, args, nil
	case c.name == "ret" && !named && ends.find != nil:
		if at, *ends.list, err = ends.find(*ends.list, c.name, like); err != nil {
			return fail("%w", err)
		}
		b.late, b.typ = true, (*ends.list)[at].typ
	default:
		if at, args, err = find(args, c.name, like); err != nil {
			return fail("%w", err)
		}
		b.typ = args[at].typ
	}
	b.arg = uint8(at)
	switch typ := b.typ; {
	case c.isTime:
		return fail("%s is compared with a time: only duration is one", c.name)
	case typ.kind == kindFloat:
		return fail("%s is a floating-point number: the kernel cannot compare those", c.name)
	case typ.kind == kindEnum && c.isText:
		return b.bindEnum(args)
	case typ.kind == kindTypeName:
		return fail("%s is a type, which the kernel does not know by its name", c.name)
	case typ.hasBytes() && !c.isText:
		return fail("%s is a text: compare it with a \"text\"", c.name)
	case !typ.hasBytes() && c.isText:
		return fail("%s is a number (%s), not a text: declare it as str", c.name, typ.name)
	case c.op == opLess && c.number == 0 && !typ.signed:
		return fail("%s (%s) is never below 0", c.name, typ.name)
	case !c.isText && !typ.holds(c.number, c.signed):
		return fail("%s (%s) is never compared with %s: it does not hold such numbers", c.name, typ.name, c.numeral())
	}
	return &b, args, nil
}

// bindEnum compares an enum with one of its names.
func (c *condition) bindEnum(args []argument) (*condition, []argument, error) {
	names := slices.Sorted(maps.Values(c.typ.names))
	for value, name := range c.typ.names {
		if name == c.text && c.op == opEqual {
			c.isText, c.text, c.number, c.signed = false, "", uint64(value), value < 0
			return c, args, nil
		}
	}
	if c.op == opGlob {
		return nil, args, fmt.Errorf("at %d: %s is an enum, which is compared by == and !=", c.offset+1, c.name)
	}
	return nil, args, fmt.Errorf("at %d: %s has no value %q%s", c.offset+1, c.name, c.text, target.Nearest(c.text, names))
}

// holds reports whether a number that was written so can be a value of the type; where its size is not known, all can.
func (t valueType) holds(number uint64, negative bool) bool {
	bits := 8 * t.size
	switch {
	case bits == 0 || bits > 64, t.kind == kindHex:
		return true
	case t.kind == kindBool:
		return !negative && number <= 1
	case negative && !t.signed: // as in C: all bits set for -1
		return int64(number) >= -1<<(bits-1)
	case negative:
		return int64(number) >= -1<<(bits-1)
	case t.signed:
		return number <= 1<<(bits-1)-1
	}
	return bits == 64 || number <= 1<<bits-1
}

// numeral is the number of a comparison as people write it.
func (c *condition) numeral() string {
	if c.signed {
		return strconv.FormatInt(int64(c.number), 10)
	}
	return strconv.FormatUint(c.number, 10)
}

// waits reports whether a condition speaks of what is only known when the function returns. That an argument is called so is
// left out of account.
func (c *condition) waits() bool {
	return c != nil && (c.name == "ret" || c.name == "duration" || c.a.waits() || c.b.waits())
}

// slower returns a condition that calls meet that meet c, if any, and take at least so long.
func (c *condition) slower(than time.Duration) *condition {
	if than <= 0 {
		return c
	}
	long := &condition{op: opNot, a: &condition{op: opLess, name: "duration", number: uint64(than), isTime: true, isOurs: true}}
	if c == nil {
		return long
	}
	return &condition{op: opAnd, a: c, b: long}
}

// compile turns a bound condition into comparisons for the kernel. The first one comes first; each says which is the
// next.
func (c *condition) compile() ([]bpf.Cond, error) {
	if c == nil {
		return nil, nil
	}
	var list []bpf.Cond // in reverse: what a comparison leads to comes before it
	c.emit(&list, bpf.CondKeep, bpf.CondDrop)
	if len(list) > bpf.MaxConds {
		return nil, fmt.Errorf("%d comparisons: %d are the most", len(list), bpf.MaxConds)
	}
	last := uint8(len(list) - 1)
	turn := func(at uint8) uint8 {
		if at >= bpf.CondKeep {
			return at
		}
		return last - at
	}
	turned := make([]bpf.Cond, len(list))
	for i, cond := range list {
		cond.Yes, cond.No = turn(cond.Yes), turn(cond.No)
		turned[last-uint8(i)] = cond
	}
	return turned, nil
}

// emit appends the comparisons of a condition, and returns which of them is the first to be made.
func (c *condition) emit(list *[]bpf.Cond, yes, no uint8) uint8 {
	if len(*list) > bpf.MaxConds { // too many: compile says so
		return no
	}
	switch c.op {
	case opAnd:
		return c.a.emit(list, c.b.emit(list, yes, no), no)
	case opOr:
		return c.a.emit(list, yes, c.b.emit(list, yes, no))
	case opNot:
		return c.a.emit(list, no, yes)
	}
	cond := bpf.Cond{Yes: yes, No: no, Value: c.number, Arg: c.arg, Signed: c.typ.signed, Late: c.late}
	bits := 8 * c.typ.size
	if bits > 0 && bits < 64 && c.signed && !c.typ.signed { // as in C
		cond.Value &= 1<<bits - 1
	}
	switch c.op {
	case opEqual:
		cond.Op = bpf.CondEqual
		if c.isText {
			cond.Op = bpf.CondText
		}
	case opLess:
		cond.Op = bpf.CondLess
	case opLessOrEqual:
		cond.Op = bpf.CondLessOrEqual
	case opGlob:
		cond.Op = bpf.CondGlob
	}
	cond.Length = uint8(copy(cond.Text[:], c.text))
	*list = append(*list, cond)
	return uint8(len(*list) - 1)
}
