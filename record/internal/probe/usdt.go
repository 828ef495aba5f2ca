package probe

import (
	"errors"
	"fmt"
	"strings"

	"utrace/format/condition"
)

// USDTPattern matches static probes.
type USDTPattern struct {
	Provider, Name *Pattern
}

// Match reports whether the pattern matches a static probe.
func (s *USDTPattern) Match(provider, name string) bool {
	return s.Provider.Match(provider) && s.Name.Match(name)
}

// IsLiteral reports whether the pattern names a single probe.
func (s *USDTPattern) IsLiteral() bool { return s.Name.Literal != "" }

// parseUSDT parses the text after "usdt:".
func (p *Probe) parseUSDT(text string) error {
	file, text, err := cutQuoted(text)
	if err != nil {
		return err
	}
	head, tail, err := cutUSDTHead(text)
	if err != nil {
		return err
	}
	provider, name := "*", ""
	isPath := strings.HasPrefix(head, "/") && !isRegexp(head) || strings.HasPrefix(head, "./") || strings.HasPrefix(head, "../")
	if file == "" && isPath {
		var ok bool
		if file, head, ok = strings.Cut(head, ":"); !ok {
			return errors.New("no probe after the file; expected usdt:/path:PROVIDER:NAME, or usdt:/path:* for all")
		}
	}
	switch parts := splitColons(head); {
	case len(parts) == 1:
		name = parts[0]
	case len(parts) == 2:
		provider, name = parts[0], parts[1]
	case len(parts) == 3 && file == "":
		file, provider, name = parts[0], parts[1], parts[2]
	default:
		return errors.New("too many colons; expected usdt:PROVIDER:NAME or usdt:/path:PROVIDER:NAME")
	}
	if provider == "" { // means any in bpftrace
		provider = "*"
	}
	if name == "" {
		return errors.New("it names no probe; expected usdt:PROVIDER:NAME, or usdt:PROVIDER:* for all of a provider")
	}
	if err := p.setFile(file); err != nil {
		return err
	}
	if p.USDT, err = newUSDTPattern(provider, name); err != nil {
		return err
	}
	return p.parseUSDTTail(tail)
}

func newUSDTPattern(provider, name string) (*USDTPattern, error) {
	pp, err := NewPattern(provider)
	if err != nil {
		return nil, err
	}
	np, err := NewPattern(name)
	if err != nil {
		return nil, err
	}
	return &USDTPattern{pp, np}, nil
}

// cutUSDTHead splits a probe after FILE:PROVIDER:NAME, at the first space or parenthesis that is
// not inside a /regular expression/.
func cutUSDTHead(text string) (head, tail string, err error) {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == ' ' || text[i] == '\t' || text[i] == '(':
			return text[:i], strings.TrimSpace(text[i:]), nil
		case text[i] == '/' && i > 0 && text[i-1] == ':':
			end := strings.IndexByte(text[i+1:], '/')
			if end < 0 {
				return "", "", errors.New("the /regular expression/ has no end")
			}
			i += end + 1
		}
	}
	return text, "", nil
}

// splitColons splits at colons that are not inside a /regular expression/.
func splitColons(s string) []string {
	var parts []string
	for {
		if strings.HasPrefix(s, "/") {
			if end := strings.IndexByte(s[1:], '/'); end >= 0 {
				re, rest := s[:end+2], s[end+2:]
				parts = append(parts, re)
				if rest == "" {
					return parts
				}
				s = strings.TrimPrefix(rest, ":")
				continue
			}
		}
		part, rest, more := strings.Cut(s, ":")
		parts = append(parts, part)
		if !more {
			return parts
		}
		s = rest
	}
}

// parseUSDTTail parses "(ARGUMENTS) if CONDITION => PROVIDER:NAME on ARGUMENT". Each part may be
// missing.
func (p *Probe) parseUSDTTail(tail string) error {
	if p.Exclude && tail != "" {
		return fmt.Errorf("%q: an exclusion only names probes", tail)
	}
	if strings.HasPrefix(tail, "(") {
		inside, rest, ok := strings.Cut(tail[1:], ")")
		if !ok {
			return errors.New("the parenthesis of the arguments is not closed")
		}
		args, all, err := parseArguments(inside, false)
		if err != nil {
			return err
		}
		p.Values.Args, p.Values.All, tail = args, all, strings.TrimSpace(rest)
	}
	if strings.HasPrefix(tail, "->") {
		return errors.New("a static probe has no return value: record the arguments of the probe that ends the span")
	}
	if rest, ok := cutWord(tail, "if"); ok {
		text, end := rest, ""
		if at := indexOutsideText(rest, "=>"); at >= 0 {
			text, end = rest[:at], rest[at:]
		}
		cond, err := condition.Parse(text)
		if err == nil {
			_, err = Bind(cond, (*Arguments)(&p.Values.Args), End{Duration: true})
		}
		if err != nil {
			return fmt.Errorf("condition %q: %w", Shorten(strings.TrimSpace(text)), err)
		}
		p.Values.Condition, tail = cond, end
	}
	if rest, ok := strings.CutPrefix(tail, "=>"); ok {
		return p.parseSpan(strings.TrimSpace(rest))
	}
	if tail != "" {
		return fmt.Errorf("%q is not expected: after the name come (ARGUMENTS), if CONDITION, => PROVIDER:NAME, in this order", tail)
	}
	return nil
}

// cutWord removes a word from the beginning of a text.
func cutWord(text, word string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(text, word)
	if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' && rest[0] != '(' && rest[0] != '!' {
		return text, false
	}
	return strings.TrimSpace(rest), true
}

// indexOutsideText returns the position of a token outside of "texts", -1 if there is none.
func indexOutsideText(s, token string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case !quoted && strings.HasPrefix(s[i:], token):
			return i
		}
	}
	return -1
}
