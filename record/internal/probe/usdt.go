package probe

import (
	"errors"
	"fmt"
	"strings"

	"utrace/format/condition"
)

// staticPattern matches static probes.
type USDTPattern struct {
	Provider, Name *Pattern
}

func (s *USDTPattern) Match(provider, name string) bool {
	return s.Provider.Match(provider) && s.Name.Match(name)
}

// literal reports whether the pattern names a single probe.
func (s *USDTPattern) IsLiteral() bool { return s.Name.Literal != "" }

// spanRule says which probes end what a static probe begins.
type Span struct {
	Ends *USDTPattern // nil: found by the names, see usualEnds
	Key  string       // the argument that tells calls apart, "" for none
	None bool         // no span: passes are counted
}

// parseStatic parses what follows "usdt:".
func (p *Probe) parseUSDT(text string) error {
	head, tail, err := cutUSDTHead(text)
	if err != nil {
		return err
	}
	file, provider, name := "", "*", ""
	if strings.HasPrefix(head, "/") && !isRegexp(head) || strings.HasPrefix(head, "./") || strings.HasPrefix(head, "../") {
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
	if provider == "" { // bpftrace's way to say any
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

// cutStaticHead splits a probe behind FILE:PROVIDER:NAME, which ends at a space or a parenthesis that
// is not inside a /regular expression/.
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

// parseStaticTail parses "(ARGUMENTS) if CONDITION => PROVIDER:NAME on ARGUMENT", each of which may be missing.
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
		return errors.New("a static probe has no return value: record the arguments of the one that ends the span")
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
		return fmt.Errorf("%q is not expected; behind the name come (ARGUMENTS), if CONDITION, => PROVIDER:NAME, in this order", tail)
	}
	return nil
}

// parseSpan parses "PROVIDER:NAME [on ARGUMENT]", or "none".
func (p *Probe) parseSpan(text string) error {
	end, on, keyed := strings.Cut(text, " on ")
	end = strings.TrimSpace(end)
	if end == "none" {
		p.Span.None = true
		return nil
	}
	parts := splitColons(end)
	switch {
	case end == "":
		return errors.New("=>: the probe that ends the span is expected, as PROVIDER:NAME")
	case len(parts) == 1:
		parts = []string{"*", parts[0]}
	case len(parts) > 2:
		return fmt.Errorf("=> %s: expected PROVIDER:NAME", end)
	}
	var err error
	if p.Span.Ends, err = newUSDTPattern(parts[0], parts[1]); err != nil {
		return err
	}
	if !keyed {
		return nil
	}
	p.Span.Key = strings.TrimSpace(on)
	at, err := (*Arguments)(&p.Values.Args).Find(p.Span.Key, Type{Name: "x64", Kind: KindHex})
	if err != nil {
		return fmt.Errorf("on %s: %w", p.Span.Key, err)
	}
	if p.Values.Args[at].Type.HasBytes() {
		return fmt.Errorf("on %s: a span is told apart by a number or an address, not by a text", p.Span.Key)
	}
	return nil
}

// cutWord takes a word off the front of a text.
func cutWord(text, word string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(text, word)
	if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' && rest[0] != '(' && rest[0] != '!' {
		return text, false
	}
	return strings.TrimSpace(rest), true
}

// indexOutsideText returns where token is outside of "texts", -1 if it is not.
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

// usualEnds returns the names of probes that usually end what a probe of this name begins, and the
// name of the span between the two; none if it begins nothing.
func UsualEnds(begin string) (ends []string, span string) {
	for _, pair := range [...]struct {
		begin string
		ends  []string
	}{
		{"start", []string{"done", "end", "stop", "finish"}},
		{"entry", []string{"return", "exit"}},
		{"begin", []string{"end", "done"}},
		{"enter", []string{"exit", "leave", "return"}},
		{"startup", []string{"shutdown"}},
	} {
		stem, ok := strings.CutSuffix(begin, pair.begin)
		span = strings.TrimRight(stem, "_-")
		if !ok || span == "" || span == stem {
			continue
		}
		for _, end := range pair.ends {
			ends = append(ends, stem+end)
		}
		return ends, span
	}
	return nil, ""
}
