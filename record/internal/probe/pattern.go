package probe

import (
	"fmt"
	"regexp"
	"strings"

	"utrace/record/internal/demangle"
)

// Pattern matches names: all names, one name, a glob or a regular expression. Blanks that separate
// no words are ignored, except in a regular expression: "f(int,char)" is "f(int, char)".
type Pattern struct {
	Literal string         // the only name, "" for the others
	re      *regexp.Regexp // of a glob or a regular expression
	exact   bool           // blanks count: re is a regular expression
	all     bool           // "*"
	typed   bool           // names are matched with template arguments as well
}

// NewPattern parses a name, a glob or a /regular expression/.
func NewPattern(text string) (*Pattern, error) {
	if !isRegexp(text) {
		text = demangle.WithoutABI(text) // a glob would take an ABI tag for a set
	}
	switch compact := withoutBlanks(text); {
	case text == "*":
		return &Pattern{all: true}, nil
	case isRegexp(text):
		re, err := regexp.Compile(text[1 : len(text)-1])
		if err != nil {
			return nil, fmt.Errorf("regular expression: %w", err)
		}
		return &Pattern{re: re, exact: true, typed: true}, nil
	case isGlob(compact):
		re, err := globRegexp(compact)
		if err != nil {
			return nil, err
		}
		return &Pattern{re: re, typed: strings.Contains(text, "<")}, nil
	default:
		return &Pattern{Literal: text, typed: strings.Contains(text, "<")}, nil
	}
}

// withoutBlanks removes the blanks that do not separate two words.
func withoutBlanks(text string) string {
	if strings.IndexByte(text, ' ') < 0 {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		rest := strings.TrimLeft(text[i:], " ")
		isSeparator := b.Len() > 0 && rest != "" && isWordByte(b.String()[b.Len()-1]) && isWordByte(rest[0])
		if text[i] != ' ' {
			b.WriteByte(text[i])
		} else if isSeparator {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// isGlob reports whether a text has a character that a glob does not take literally.
func isGlob(text string) bool {
	for i := 0; i < len(text); i++ {
		if strings.IndexByte("*?[", text[i]) >= 0 && !isOperator(text, i) {
			return true
		}
	}
	return false
}

// isOperator reports whether the character at i is the * of the C++ names "operator*" and
// "operator->*".
func isOperator(text string, i int) bool {
	if text[i] != '*' {
		return false
	}
	before, ok := strings.CutSuffix(strings.TrimSuffix(text[:i], "->"), "operator")
	return ok && (before == "" || !isWordByte(before[len(before)-1]))
}

// ProcessNames parses a name of processes, a glob or a /regular expression/. Unlike in a Pattern, all
// blanks count.
func ProcessNames(text string) (*regexp.Regexp, error) {
	if !isRegexp(text) {
		return globRegexp(text)
	}
	re, err := regexp.Compile(text[1 : len(text)-1])
	if err != nil {
		return nil, fmt.Errorf("regular expression: %w", err)
	}
	return re, nil
}

// globRegexp translates a glob: * any text, ? any character, [a-z] [!a-z] sets. A '[' that is not
// closed, as in "operator[", matches itself, and so does the * of "operator*".
func globRegexp(glob string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString(`\A(?s:`)
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; c {
		case '*':
			if isOperator(glob, i) {
				b.WriteString(`\*`)
				continue
			}
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
	switch {
	case p.all:
		return true
	case p.exact:
		return p.re.MatchString(name)
	case p.re != nil:
		return p.re.MatchString(withoutBlanks(name))
	}
	return withoutBlanks(p.Literal) == withoutBlanks(name)
}

// MatchSymbols reports whether the pattern names a function: by its symbol, by an alias, or by
// either of these demangled, with or without parameters and template arguments. It returns the
// symbol that matched. versions are symbols with a version, such as "f@V1": they match as f.
func (p *Pattern) MatchSymbols(name string, aliases, versions []string) (symbol string, ok bool) {
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
	for _, version := range versions {
		if p.Match(version) {
			symbol, _, _ := strings.Cut(version, "@")
			return symbol, true
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
		(p.Match(full) || p.Match(demangle.WithoutABI(full)) || p.Match(demangle.Short(symbol)) || p.typed && p.matchTyped(symbol, full))
}

// matchTyped matches a demangled name with its template arguments: without its parameters, and with
// parameters but without the type of the result.
func (p *Pattern) matchTyped(symbol, full string) bool {
	typed := demangle.WithoutParameters(symbol)
	if p.Match(typed) {
		return true
	}
	at := strings.Index(full, typed+"(")
	return at > 0 && p.Match(full[at:])
}

func isRegexp(s string) bool { return len(s) > 2 && s[0] == '/' && s[len(s)-1] == '/' }
