// Package condition parses the conditions by which calls are kept, counted or compared:
//
//	CONDITION  = AND { "||" AND }
//	AND        = NOT { "&&" NOT }
//	NOT        = { "!" } ( "(" CONDITION ")" | COMPARISON )
//	COMPARISON = NAME [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "=~") VALUE ]
//
// NAME is an argument or a result, or a path such as req->len, p.a[2] or *count. A NAME alone is
// true unless it is 0. VALUE is a number, a time such as 1.5ms, a 'c'haracter or a "text".
//
// The recorder decides conditions in the kernel, the analyzer on the contents of a trace. Each
// gives the names their meaning.
//
// Note: parsing removes "!" by negating the comparisons inside. If a value could not be read, no
// comparison holds, neither n == 3 nor n != 3. With "!" kept, !(n == 3) would hold.
package condition

import (
	"fmt"
	"strconv"
	"strings"
	"text/scanner"
	"time"
	"unicode"
)

// Op is the operation of a Condition.
type Op uint8

// And and Or join two conditions. The others compare; each comparison is followed by its opposite.
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

// Compares reports whether o is a comparison.
func (o Op) Compares() bool { return o >= Equal }

// Holds reports whether a comparison holds. order is negative, zero or positive if its left side is
// less than, equal to or greater than its right side. Glob never holds.
func (o Op) Holds(order int) bool {
	switch o {
	case Equal:
		return order == 0
	case NotEqual:
		return order != 0
	case Less:
		return order < 0
	case LessOrEqual:
		return order <= 0
	case Greater:
		return order > 0
	case GreaterOrEqual:
		return order >= 0
	}
	return false
}

// Condition is a comparison, or joins two conditions.
type Condition struct {
	Op   Op
	A, B *Condition // of And and Or

	Name   string // of a comparison
	Value  Value
	Offset int // of Name in the text that was parsed, in bytes
}

// Value is the right side of a comparison.
type Value struct {
	Kind   ValueKind
	Number Number // also nanoseconds, or a character
	Text   string
}

// ValueKind says which field of a Value is used.
type ValueKind uint8

// The kinds of values.
const (
	IsNumber ValueKind = iota
	IsTime
	IsText
)

// Walk visits the comparisons of a condition from left to right. A nil Condition has none.
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

// maxDepth is the deepest nesting of parentheses and ! in a condition.
const maxDepth = 100

// Parse parses a condition. An error says what is wrong, and at which byte, counted from 1.
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

// parser reads a condition. Its methods get not: whether a "!" negates the part that they read.
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

// join joins two conditions; if not, by De Morgan's laws.
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

// value reads the right side of a comparison.
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
		p.fail("%s cannot be parsed", text)
	case negative:
		p.fail("a - in front of %s", text)
	case c.Op == Glob && !isText:
		p.fail("=~ compares with a \"pattern\"")
	case c.Op == Glob && strings.Contains(c.Value.Text, "["):
		p.fail("%q: patterns can have * and ?, but no [sets]", c.Value.Text)
	case isText && c.Op != Equal && c.Op != NotEqual && c.Op != Glob:
		p.fail("a text is compared by ==, != or =~")
	}
	p.next()
}

// time reads the unit after a number.
func (p *parser) time(c *Condition, number string) {
	p.next()
	d, err := time.ParseDuration(number + p.s.TokenText())
	if err != nil {
		p.fail("%s%s is neither a number nor a time, such as 10us, 1.5ms or 2s", number, p.s.TokenText())
	}
	c.Value.Kind, c.Value.Number = IsTime, Number{Magnitude: uint64(d)}
}
