package probe

import (
	"errors"
	"fmt"
	"strings"

	"utrace/format/condition"
)

// values are what a probe records beside the fact that it was passed, and when.
type Values struct {
	Args          []Argument
	All           bool  // all that the static probe, or the debug information of the function, describes
	Result        *Type // what a function returns
	AllResults    bool  // all that it returns, as the debug information describes it
	Condition     *condition.Condition
	ConditionText string
}

// any reports whether there is more to record than the fact.
func (v *Values) Any() bool {
	return len(v.Args) > 0 || v.All || v.Result != nil || v.AllResults || v.Condition != nil
}

// parse parses "(ARGUMENTS) -> TYPE if CONDITION", each of which may be missing, for a function.
func (v *Values) parse(args, result, cond string) (err error) {
	if args != "" {
		if v.Args, v.All, err = parseArguments(args, true); err != nil {
			return err
		}
	}
	switch result {
	case "":
	case "...", "(...)":
		v.AllResults = true
	default:
		typ, err := parseType(result)
		if err != nil {
			return fmt.Errorf("->: %w", err)
		}
		if typ.Kind == KindBuffer {
			return errors.New("-> buf: the length of what is returned is not known: use str, or ptr")
		}
		v.Result = &typ
	}
	if v.ConditionText = cond; cond != "" {
		if v.Condition, err = condition.Parse(cond); err != nil {
			return fmt.Errorf("condition %q: %w", Shorten(strings.TrimSpace(cond)), err)
		}
	}
	return nil
}

// cutFunction splits "FUNC(ARGUMENTS) -> TYPE if CONDITION". Parts that are missing are "". Parentheses that
// are part of a C++ name, as in "f(int, char const*)", stay there; whole is the name with those that could be either.
func cutFunction(text string) (head, whole, args, result, cond string, err error) {
	head = text
	rest := text
	end := regexpEnd(text)
	if end > 0 {
		head, rest = text[:end], text[end:]
	}
	if at := indexOutsideText(rest, " if "); at >= 0 {
		rest, cond = rest[:at], strings.TrimSpace(rest[at+len(" if "):])
		if cond == "" {
			return "", "", "", "", "", errors.New("if: a condition is expected behind it")
		}
	} else if trimmed := strings.TrimRight(rest, " \t"); strings.HasSuffix(trimmed, " if") {
		return "", "", "", "", "", errors.New("if: a condition is expected behind it")
	}
	if before, after, ok := cutResult(rest); ok {
		rest, result = before, after
		if result == "" {
			return "", "", "", "", "", errors.New("->: the type of what the function returns is expected behind it, or ... for what the debug information says")
		}
	}
	if strings.Contains(rest, " => ") {
		return "", "", "", "", "", errors.New("=> is for static probes (usdt:); a function ends with its return")
	}
	rest = strings.TrimSpace(rest)
	whole = rest
	if open := openingParenthesis(rest); open >= 0 {
		if inside := strings.TrimSpace(rest[open+1 : len(rest)-1]); looksLikeArguments(inside) {
			args, rest = inside, strings.TrimSpace(rest[:open])
		}
	} else if strings.Contains(rest, "(") && strings.Count(rest, "(") > strings.Count(rest, ")") {
		return "", "", "", "", "", errors.New("a parenthesis is not closed")
	}
	if end > 0 {
		if rest != "" {
			return "", "", "", "", "", fmt.Errorf("%q is not expected; behind the name come (ARGUMENTS), -> TYPE, if CONDITION, in this order", Shorten(rest))
		}
		return head, head, args, result, cond, nil
	}
	return rest, whole, args, result, cond, nil
}

// regexpEnd returns where a /regular expression/ in the place of a name ends, 0 if there is none.
func regexpEnd(text string) int {
	for i := 0; i < len(text); i++ {
		if text[i] != '/' || i > 0 && text[i-1] != ':' {
			continue
		}
		for j := i + 2; j < len(text); j++ {
			if text[j] == '/' && (j+1 == len(text) || strings.IndexByte(" \t(", text[j+1]) >= 0) {
				return j + 1
			}
		}
	}
	return 0
}

// cutResult splits at the last "->" that is neither part of a name, as in "operator->", nor inside of parentheses.
func cutResult(text string) (before, after string, ok bool) {
	depth := 0
	for i := len(text) - 2; i >= 0; i-- {
		switch {
		case text[i+1] == ')':
			depth++
		case text[i+1] == '(':
			depth--
		}
		if depth == 0 && text[i:i+2] == "->" && (i == 0 || strings.IndexByte(" \t)", text[i-1]) >= 0) {
			return text[:i], strings.TrimSpace(text[i+2:]), true
		}
	}
	return text, "", false
}

// openingParenthesis returns where the parenthesis opens that closes at the end of a text, -1 if there is none.
func openingParenthesis(text string) int {
	if !strings.HasSuffix(text, ")") {
		return -1
	}
	depth := 0
	for i := len(text) - 1; i >= 0; i-- {
		switch text[i] {
		case ')':
			depth++
		case '(':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// looksLikeArguments tells the arguments of a probe from the parameters of a C++ name.
func looksLikeArguments(inside string) bool {
	if inside == "..." {
		return true
	}
	if inside == "" {
		return false
	}
	for _, part := range splitArguments(inside) {
		part = strings.TrimSpace(part)
		name, _, typed := strings.Cut(strings.ReplaceAll(part, "::", ""), ":")
		if typed {
			continue // NAME:TYPE, or else an error that says what is wrong with it
		}
		if _, err := ParsePath(name); err != nil || strings.Contains(part, "::") {
			return false
		}
		switch name {
		case "int", "short", "long", "unsigned", "signed", "void", "float", "double", "wchar_t", "char8_t", "char16_t", "char32_t", "auto":
			return false
		}
	}
	return true
}

// splitArguments splits at commas outside of brackets and parentheses.
func splitArguments(text string) []string {
	var parts []string
	depth, from := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '(', '[', '<':
			depth++
		case ')', ']':
			depth--
		case '>':
			if i == 0 || text[i-1] != '-' {
				depth--
			}
		case ',':
			if depth <= 0 {
				parts = append(parts, text[from:i])
				from = i + 1
			}
		}
	}
	return append(parts, text[from:])
}
