package probe

import (
	"fmt"
	"regexp"
	"strings"

	"utrace/record/internal/demangle"
)

// Pattern matches names: all names, one name, a glob or a regular expression.
type Pattern struct {
	Literal string         // the only name, "" for the others
	re      *regexp.Regexp // of a glob or a regular expression
	all     bool           // "*"
}

// NewPattern parses a name, a glob or a /regular expression/.
func NewPattern(text string) (*Pattern, error) {
	if !isRegexp(text) {
		text = demangle.WithoutABI(text) // a glob would take an ABI tag for a set
	}
	switch {
	case text == "*":
		return &Pattern{all: true}, nil
	case isRegexp(text):
		re, err := regexp.Compile(text[1 : len(text)-1])
		if err != nil {
			return nil, fmt.Errorf("regular expression: %w", err)
		}
		return &Pattern{re: re}, nil
	case strings.ContainsAny(text, "*?["):
		re, err := globRegexp(text)
		if err != nil {
			return nil, err
		}
		return &Pattern{re: re}, nil
	}
	return &Pattern{Literal: text}, nil
}

// globRegexp translates a glob: * any text, ? any character, [a-z] [!a-z] sets. A '[' that is not
// closed, as in "operator[", matches itself.
func globRegexp(glob string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString(`\A(?s:`)
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; c {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteString(".")
		case '[':
			end := strings.IndexByte(glob[i+1:], ']')
			if end <= 0 {
				b.WriteString(`\[`)
				continue
			}
			set := glob[i+1 : i+1+end]
			if set[0] == '!' {
				set = "^" + set[1:]
			}
			b.WriteString("[" + strings.ReplaceAll(set, `\`, `\\`) + "]")
			i += end + 1
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	b.WriteString(`)\z`)
	re, err := regexp.Compile(b.String())
	if err != nil {
		return nil, fmt.Errorf("glob: %w", err)
	}
	return re, nil
}

// Match reports whether the pattern matches a name.
func (p *Pattern) Match(name string) bool {
	if p.re != nil {
		return p.re.MatchString(name)
	}
	return p.all || p.Literal == name
}

// MatchSymbols reports whether the pattern names a function: by its symbol, by an alias, or by
// either of these demangled, with or without parameters. It returns the symbol that matched.
func (p *Pattern) MatchSymbols(name string, aliases []string) (symbol string, ok bool) {
	if p.all {
		return name, true
	}
	if p.matchSymbol(name) {
		return name, true
	}
	for _, alias := range aliases {
		if p.matchSymbol(alias) {
			return alias, true
		}
	}
	return "", false
}

func (p *Pattern) matchSymbol(symbol string) bool {
	if p.Match(symbol) {
		return true
	}
	if !strings.HasPrefix(symbol, "_") { // neither C++ nor Rust
		return false
	}
	full := demangle.Full(symbol)
	return full != symbol &&
		(p.Match(full) || p.Match(demangle.WithoutABI(full)) || p.Match(demangle.Short(symbol)))
}

func isRegexp(s string) bool { return len(s) > 2 && s[0] == '/' && s[len(s)-1] == '/' }
