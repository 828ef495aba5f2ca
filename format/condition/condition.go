// Package condition parses the conditions that calls are kept, counted or compared by:
//
//	CONDITION  = AND { "||" AND }
//	AND        = NOT { "&&" NOT }
//	NOT        = { "!" } ( "(" CONDITION ")" | COMPARISON )
//	COMPARISON = NAME [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "=~") VALUE ]
//
// NAME is that of an argument or a result, or a path such as req->len, p.a[2] or *count; by itself it is true unless it is 0. VALUE is a
// number, a time such as 1.5ms, a 'c'haracter or a "text".
//
// The recorder decides them in the kernel, the analyzer on what a trace holds. What the names are is up to them.
//
// Note: "!" is gone after parsing: the comparisons inside are turned around. Of a value that could not be read no
// comparison holds, n != 3 as little as n == 3; were "!" kept, !(n == 3) would hold.
package condition

import (
	"fmt"
	"strconv"
	"strings"
	"text/scanner"
	"time"
	"unicode"
)

// Op is what a Condition does.
type Op uint8

// And and Or join two conditions; the others compare. Behind each comparison comes its opposite.
const (
	And Op = iota
	Or
	Equal
	NotEqual
	Less
	GreaterOrEqual
	LessOrEqual
	Greater
	Glob
	NotGlob
)

// Not returns the opposite of a comparison.
func (o Op) Not() Op { return o ^ 1 }

// Compares reports whether it is a comparison.
func (o Op) Compares() bool { return o >= Equal }

// Condition is a comparison, or two conditions joined.
type Condition struct {
	Op   Op
	A, B *Condition // of And and Or

	Name   string // of a comparison
	Value  Value
	Offset int // of Name in the text that was parsed, in bytes
}

// Value is what a name is compared with.
type Value struct {
	Kind   ValueKind
	Number Number // also nanoseconds, or a character
	Text   string
}

// ValueKind says which of a Value's fields counts.
type ValueKind uint8

// The kinds of values.
const (
	IsNumber ValueKind = iota
	IsTime
	IsText
)

// Walk visits the comparisons of a condition, from left to right; a nil Condition has none.
func (c *Condition) Walk(visit func(*Condition)) {
	switch {
	case c == nil:
	case c.Op.Compares():
		visit(c)
	default:
		c.A.Walk(visit)
		c.B.Walk(visit)
	}
}

// maxDepth bounds the parentheses and ! of a condition.
const maxDepth = 100

// Parse parses a condition. An error says at which byte, counted from 1, and what is wrong.
func Parse(text string) (*Condition, error) {
	p := &parser{}
	p.s.Init(strings.NewReader(text))
	p.s.Mode = scanner.ScanIdents | scanner.ScanInts | scanner.ScanFloats | scanner.ScanChars | scanner.ScanStrings | scanner.ScanRawStrings
	p.s.Error = func(_ *scanner.Scanner, msg string) { p.fail("%s", msg) }
	p.next()
	c := p.or(0, false)
	if p.tok != scanner.EOF {
		p.fail("%q is not expected here", p.s.TokenText())
	}
	if p.err != nil {
		return nil, p.err
	}
	return c, nil
}

// parser reads a condition. Its methods are told whether what they read is turned around by a "!".
type parser struct {
	s   scanner.Scanner
	tok rune
	err error
}

// fail keeps the first error.
func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("at %d: %s", p.s.Position.Offset+1, fmt.Sprintf(format, args...))
	}
}

func (p *parser) next() { p.tok = p.s.Scan() }

// accept takes a token of one or two characters if it comes next.
func (p *parser) accept(token string) bool {
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

func (p *parser) or(depth int, not bool) *Condition {
	c := p.and(depth, not)
	for p.err == nil && p.accept("||") {
		c = join(Or, c, p.and(depth, not), not)
	}
	return c
}

func (p *parser) and(depth int, not bool) *Condition {
	c := p.not(depth, not)
	for p.err == nil && p.accept("&&") {
		c = join(And, c, p.not(depth, not), not)
	}
	return c
}

// join is by De Morgan's laws.
func join(op Op, a, b *Condition, not bool) *Condition {
	if not {
		op = op.Not()
	}
	return &Condition{Op: op, A: a, B: b}
}

func (p *parser) not(depth int, not bool) *Condition {
	switch {
	case depth > maxDepth:
		p.fail("nested too deeply")
		return nil
	case p.accept("!"):
		return p.not(depth+1, !not)
	case p.accept("("):
		c := p.or(depth+1, not)
		if p.err == nil && !p.accept(")") {
			p.fail("a ) is missing")
		}
		return c
	}
	return p.comparison(not)
}

func (p *parser) comparison(not bool) *Condition {
	c := &Condition{Op: NotEqual, Offset: p.s.Position.Offset} // to 0, if nothing follows
	c.Name = p.name()
	for _, op := range []struct {
		token string
		op    Op
	}{{"==", Equal}, {"!=", NotEqual}, {"=~", Glob}, {"<=", LessOrEqual}, {">=", GreaterOrEqual}, {"<", Less}, {">", Greater}} {
		if p.err == nil && p.accept(op.token) {
			c.Op = op.op
			p.value(c)
			break
		}
	}
	if not {
		c.Op = c.Op.Not()
	}
	return c
}

// name reads {*}NAME{->NAME|.NAME|[NUMBER]}.
func (p *parser) name() string {
	name := ""
	for p.accept("*") {
		name += "*"
	}
	name += p.ident("the name of an argument")
	for p.err == nil {
		switch {
		case p.accept("->"):
			name += "->" + p.ident("the name of a member")
		case p.accept("."):
			name += "." + p.ident("the name of a member")
		case p.accept("["):
			name += "[" + p.s.TokenText() + "]"
			if p.tok != scanner.Int {
				p.fail("a number is expected in the brackets")
			}
			if p.next(); !p.accept("]") {
				p.fail("a ] is missing")
			}
		default:
			return name
		}
	}
	return name
}

func (p *parser) ident(what string) string {
	text := p.s.TokenText()
	if p.tok != scanner.Ident {
		found := "the end"
		if p.tok != scanner.EOF {
			found = strconv.Quote(text)
		}
		p.fail("%s is expected, not %s", what, found)
	}
	p.next()
	return text
}

// value reads what a comparison compares with.
func (p *parser) value(c *Condition) {
	negative := p.accept("-")
	text := p.s.TokenText()
	var err error
	switch p.tok {
	case scanner.Int, scanner.Float:
		if unicode.IsLetter(p.s.Peek()) {
			p.time(c, text)
			break
		}
		if negative {
			text = "-" + text
		}
		ok := false
		if c.Value.Number, ok = ParseNumber(text); !ok {
			p.fail("%s is not a number of 64 bits", text)
		}
		negative = false
	case scanner.Char:
		var r rune
		if r, _, _, err = strconv.UnquoteChar(text[1:], '\''); err == nil {
			c.Value.Number = Number{Magnitude: uint64(r)}
		}
	case scanner.String, scanner.RawString:
		c.Value.Kind = IsText
		c.Value.Text, err = strconv.Unquote(text)
	default:
		p.fail("a number or a \"text\" is expected behind the comparison")
		return
	}
	isText := c.Value.Kind == IsText
	switch {
	case err != nil:
		p.fail("%s is not understood", text)
	case negative:
		p.fail("a - in front of %s", text)
	case c.Op == Glob && !isText:
		p.fail("=~ compares with a \"pattern\"")
	case c.Op == Glob && strings.Contains(c.Value.Text, "["):
		p.fail("%q: patterns here know * and ?, and no [sets]", c.Value.Text)
	case isText && c.Op != Equal && c.Op != NotEqual && c.Op != Glob:
		p.fail("a text is compared by ==, != or =~")
	}
	p.next()
}

// time reads the unit behind a number.
func (p *parser) time(c *Condition, number string) {
	p.next()
	d, err := time.ParseDuration(number + p.s.TokenText())
	if err != nil {
		p.fail("%s%s is neither a number nor a time, such as 10us, 1.5ms or 2s", number, p.s.TokenText())
	}
	c.Value.Kind, c.Value.Number = IsTime, Number{Magnitude: uint64(d)}
}
