package analyze

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"text/scanner"
)

// condition is a comparison of a value that a call carries, or conditions that are joined.
type condition struct {
	op      condOp
	a, b    *condition // of and, or; a also of not
	name    string     // of a comparison: the argument or result
	number  number
	text    string
	pattern *Pattern // of opGlob
	isText  bool
}

type condOp uint8

const (
	opAnd condOp = iota
	opOr
	opNot
	opEqual
	opNotEqual
	opLess
	opLessOrEqual
	opGreater
	opGreaterOrEqual
	opGlob
)

// maxConditionDepth bounds the parentheses and ! of a condition.
const maxConditionDepth = 100

// parseCondition parses what the conditions of probes are, as far as it can be decided afterwards:
//
//	CONDITION = AND { "||" AND }     AND = NOT { "&&" NOT }     NOT = { "!" } ( "(" CONDITION ")" | COMPARISON )
//	COMPARISON = NAME [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "=~") VALUE ]
//
// where VALUE is a number, a 'c'haracter or a "text", and NAME that of an argument or result, such as n, req->path or
// *p.a[2]. A NAME by itself is true unless it is 0.
func parseCondition(text string) (*condition, error) {
	p := &conditionParser{}
	p.s.Init(strings.NewReader(text))
	p.s.Mode = scanner.ScanIdents | scanner.ScanInts | scanner.ScanFloats | scanner.ScanChars | scanner.ScanStrings | scanner.ScanRawStrings
	p.s.Error = func(_ *scanner.Scanner, msg string) { p.fail("%s", msg) }
	p.next()
	c := p.or(0)
	if p.tok != scanner.EOF {
		p.fail("%q is not expected here", p.s.TokenText())
	}
	return c, p.err
}

type conditionParser struct {
	s   scanner.Scanner
	tok rune
	err error
}

// fail keeps the first error.
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
		if !p.accept(")") {
			p.fail("a ) is missing")
		}
		return c
	}
	return p.comparison()
}

func (p *conditionParser) comparison() *condition {
	c := &condition{op: opNotEqual, name: p.name()} // to 0, if nothing follows
	for _, op := range []struct {
		token string
		op    condOp
	}{
		{"==", opEqual}, {"!=", opNotEqual}, {"=~", opGlob}, {"<=", opLessOrEqual}, {">=", opGreaterOrEqual}, {"<", opLess}, {">", opGreater},
	} {
		if p.err == nil && p.accept(op.token) {
			c.op = op.op
			p.value(c)
			break
		}
	}
	return c
}

// name reads the name of an argument, as it is written in a probe.
func (p *conditionParser) name() string {
	name := ""
	for p.accept("*") {
		name += "*"
	}
	name += p.ident()
	for p.err == nil {
		switch {
		case p.accept("->"):
			name += "->" + p.ident()
		case p.accept("."):
			name += "." + p.ident()
		case p.tok == '[':
			p.next()
			name += "[" + p.s.TokenText() + "]"
			if p.next(); !p.accept("]") {
				p.fail("a ] is missing")
			}
		default:
			return name
		}
	}
	return name
}

func (p *conditionParser) ident() string {
	text := p.s.TokenText()
	if p.tok != scanner.Ident {
		what := "the end"
		if p.tok != scanner.EOF {
			what = strconv.Quote(text)
		}
		p.fail("the name of an argument, or ret, is expected, not %s", what)
	}
	p.next()
	return text
}

// value reads what a comparison compares with.
func (p *conditionParser) value(c *condition) {
	negative := p.accept("-")
	text := p.s.TokenText()
	var err error
	switch p.tok {
	case scanner.Int, scanner.Float:
		if negative {
			text = "-" + text
		}
		ok := false
		if c.number, ok = parseNumber(text); !ok {
			p.fail("%s is too large", text)
		}
	case scanner.Char:
		var r rune
		if r, _, _, err = strconv.UnquoteChar(text[1:], '\''); err == nil {
			c.number = number{magnitude: uint64(r)}
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
	case negative && p.tok != scanner.Int && p.tok != scanner.Float:
		p.fail("a - in front of %s", text)
	case c.op == opGlob && !c.isText:
		p.fail("=~ compares with a \"pattern\"")
	case c.isText && c.op != opEqual && c.op != opNotEqual && c.op != opGlob:
		p.fail("a text is compared by ==, != or =~")
	case c.op == opGlob:
		if c.pattern, err = parseGlob(c.text); err != nil {
			p.fail("%v", err)
		}
	}
	p.next()
}

// compare reports whether a number, or a text, is what a comparison asks for. Those of the other kind are not.
func (c *condition) compare(n number, text string, isText bool) bool {
	if isText != c.isText {
		return false
	}
	order := 0
	if isText {
		if c.op == opGlob {
			return c.pattern.Match(text)
		}
		order = strings.Compare(text, c.text)
	} else {
		order = n.compare(c.number)
	}
	switch c.op {
	case opEqual:
		return order == 0
	case opNotEqual:
		return order != 0
	case opLess:
		return order < 0
	case opLessOrEqual:
		return order <= 0
	case opGreater:
		return order > 0
	case opGreaterOrEqual:
		return order >= 0
	}
	return false
}

// number holds every int64 and uint64 exactly, and float64.
type number struct {
	magnitude uint64
	negative  bool
	float     float64
	isFloat   bool
}

func parseNumber(text string) (number, bool) {
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		return signedNumber(n), true
	}
	if n, err := strconv.ParseUint(text, 0, 64); err == nil {
		return number{magnitude: n}, true
	}
	f, err := strconv.ParseFloat(text, 64)
	return number{float: f, isFloat: true}, err == nil
}

func signedNumber(n int64) number {
	if n < 0 {
		return number{magnitude: -uint64(n), negative: true}
	}
	return number{magnitude: uint64(n)}
}

func (n number) compare(m number) int {
	switch {
	case n.isFloat || m.isFloat:
		return cmp.Compare(n.value(), m.value())
	case n.negative != m.negative:
		if n.negative {
			return -1
		}
		return 1
	case n.negative:
		return cmp.Compare(m.magnitude, n.magnitude)
	}
	return cmp.Compare(n.magnitude, m.magnitude)
}

func (n number) value() float64 {
	switch {
	case n.isFloat:
		return n.float
	case n.negative:
		return math.Copysign(float64(n.magnitude), -1)
	}
	return float64(n.magnitude)
}
