package record

import (
	"fmt"
	"strconv"
	"strings"
	"text/scanner"

	"utrace/bpf"
)

// condition is a parsed CONDITION of a probe: either a comparison, or two conditions
// joined.
type condition struct {
	op     condOp
	a, b   *condition // of and, or; a also of not
	name   string     // of a comparison: the argument
	number uint64
	signed bool // number was written with a minus
	text   string
	isText bool
	offset int // in the text of the condition
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
// where VALUE is a number, a 'c'haracter or a "text". A NAME by itself is true unless it is 0.
func parseCondition(text string) (*condition, error) {
	p := &conditionParser{}
	p.s.Init(strings.NewReader(text))
	p.s.Mode = scanner.ScanIdents | scanner.ScanInts | scanner.ScanChars | scanner.ScanStrings | scanner.ScanRawStrings
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
	if p.tok != scanner.Ident {
		what := "the end"
		if p.tok != scanner.EOF {
			what = strconv.Quote(p.s.TokenText())
		}
		p.fail("the name of an argument is expected, not %s", what)
		return nil
	}
	c := &condition{name: p.s.TokenText(), offset: p.s.Position.Offset}
	p.next()
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

// value reads what a comparison compares with.
func (p *conditionParser) value(c *condition) {
	negative := p.accept("-")
	text := p.s.TokenText()
	var err error
	switch p.tok {
	case scanner.Int:
		if negative {
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
	case err != nil:
		p.fail("%s: %v", text, err)
	case negative && p.tok != scanner.Int:
		p.fail("a - in front of %s", text)
	case c.op == opGlob && !c.isText:
		p.fail("=~ compares with a \"pattern\"")
	case c.isText && c.op != opEqual && c.op != opGlob:
		p.fail("a text is compared by ==, != or =~")
	case c.isText && len(c.text) > bpf.MaxPattern:
		p.fail("a text of %d bytes: %d is the most", len(c.text), bpf.MaxPattern)
	}
	p.next()
}

// bind finds the arguments that a condition names, and adds those that are only named by their number.
func (c *condition) bind(args []argument) ([]argument, error) {
	if c == nil {
		return args, nil
	}
	if c.op <= opNot {
		args, err := c.a.bind(args)
		if err != nil || c.b == nil {
			return args, err
		}
		return c.b.bind(args)
	}
	if special, ok := specialArgument(c.name, args); ok {
		if c.isText != (special == bpf.CondComm) {
			return args, fmt.Errorf("at %d: %s is compared with a %s", c.offset+1, c.name, map[bool]string{true: "number", false: `"text"`}[c.isText])
		}
		return args, nil
	}
	like := valueType{name: "s64", signed: true} // and its size as the probe has it
	if c.isText {
		like = valueType{name: "str", kind: kindText, size: 8, max: defaultText}
	}
	at, args, err := findArgument(args, c.name, like)
	if err != nil {
		return args, fmt.Errorf("at %d: %w", c.offset+1, err)
	}
	switch typ := args[at].typ; {
	case typ.kind == kindFloat:
		err = fmt.Errorf("at %d: %s is a floating-point number: the kernel cannot compare those", c.offset+1, c.name)
	case typ.isText() && !c.isText:
		err = fmt.Errorf("at %d: %s is a text: compare it with a \"text\"", c.offset+1, c.name)
	case !typ.isText() && c.isText:
		err = fmt.Errorf("at %d: %s is a number (%s), not a text: declare it as str", c.offset+1, c.name, typ.name)
	}
	return args, err
}

// specialArgument returns what stands for pid, tid and comm, unless arguments are called so.
func specialArgument(name string, args []argument) (uint8, bool) {
	for _, a := range args {
		if a.name == name {
			return 0, false
		}
	}
	special, ok := map[string]uint8{"pid": bpf.CondPID, "tid": bpf.CondTID, "comm": bpf.CondComm}[name]
	return special, ok
}

// compile turns a condition, which bind has been called for with these arguments, into comparisons for
// the kernel. The first one comes first; each says which is the next.
func (c *condition) compile(args []argument) ([]bpf.Cond, error) {
	if c == nil {
		return nil, nil
	}
	var list []bpf.Cond // in reverse: what a comparison leads to comes before it
	c.emit(args, &list, bpf.CondKeep, bpf.CondDrop)
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
func (c *condition) emit(args []argument, list *[]bpf.Cond, yes, no uint8) uint8 {
	if len(*list) > bpf.MaxConds { // too many: compile says so
		return no
	}
	switch c.op {
	case opAnd:
		return c.a.emit(args, list, c.b.emit(args, list, yes, no), no)
	case opOr:
		return c.a.emit(args, list, yes, c.b.emit(args, list, yes, no))
	case opNot:
		return c.a.emit(args, list, no, yes)
	}
	cond := bpf.Cond{Yes: yes, No: no, Value: c.number}
	if special, ok := specialArgument(c.name, args); ok {
		cond.Arg = special
	} else {
		at, _, _ := findArgument(args, c.name, valueType{kind: map[bool]valueKind{true: kindText}[c.isText]})
		typ := args[at].typ
		cond.Arg, cond.Signed = uint8(at), typ.signed
		if bits := 8 * typ.size; c.signed && !typ.signed && bits > 0 && bits < 64 { // as in C
			cond.Value &= 1<<bits - 1
		}
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
