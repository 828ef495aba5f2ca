package probe

import (
	"errors"
	"fmt"
	"strings"
)

// functionText is the text of a function probe, in parts. A missing part is "".
type functionText struct {
	head                    string // FILE:FUNC
	whole                   string // head, with parentheses that can be arguments or part of a C++ name
	args, result, condition string
}

// cutFunction splits "FUNC(ARGUMENTS) -> TYPE if CONDITION". Parentheses that are part of a C++
// name, as in "f(int, char const*)", stay in the name.
func cutFunction(text string) (parts functionText, err error) {
	end := regexpEnd(text)
	name, rest := text[:end], text[end:]

	if at := indexOutsideText(rest, " if "); at >= 0 {
		rest, parts.condition = rest[:at], strings.TrimSpace(rest[at+len(" if "):])
		if parts.condition == "" {
			return parts, errNoCondition
		}
	} else if trimmed := strings.TrimRight(rest, " \t"); strings.HasSuffix(trimmed, " if") {
		return parts, errNoCondition
	}

	if before, after, ok := cutResult(rest); ok {
		if after == "" {
			return parts, errors.New("->: expected the type of the result after it, or ... for the results in the debug information")
		}
		rest, parts.result = before, after
	}
	if strings.Contains(rest, " => ") {
		return parts, errors.New("=> is for static probes (usdt:); a function ends with its return")
	}

	rest = strings.TrimSpace(rest)
	parts.whole = rest
	if open := openingParenthesis(rest); open >= 0 {
		if inside := strings.TrimSpace(rest[open+1 : len(rest)-1]); looksLikeArguments(inside) {
			parts.args, rest = inside, strings.TrimSpace(rest[:open])
		}
	} else if strings.Contains(rest, "(") && strings.Count(rest, "(") > strings.Count(rest, ")") {
		return parts, errors.New("a parenthesis is not closed")
	}
	parts.head = rest
	if end > 0 {
		if rest != "" {
			return parts, fmt.Errorf("%q is not expected: after the name come (ARGUMENTS), -> TYPE, if CONDITION, in this order", Shorten(rest))
		}
		parts.head, parts.whole = name, name
	}
	return parts, nil
}

var errNoCondition = errors.New("if: expected a condition after it")

// regexpEnd returns the end of a /regular expression/ that replaces a name, 0 if there is none.
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

// cutResult splits at the last "->" that is neither part of a name, as in "operator->", nor inside
// parentheses.
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

// openingParenthesis returns the position of the parenthesis that the last character closes, -1 if
// there is none.
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

// looksLikeArguments distinguishes the arguments of a probe from the parameters of a C++ name.
func looksLikeArguments(inside string) bool {
	if inside == "..." {
		return true
	}
	if inside == "" {
		return false
	}
	seen := map[string]bool{} // only types repeat: those of C++ here, because those of utrace are arguments
	for _, part := range splitArguments(inside) {
		part = strings.TrimSpace(part)
		if _, err := parseType(part); err != nil && seen[part] && isName(part) {
			return false
		}
		seen[part] = true
		name, _, typed := strings.Cut(strings.ReplaceAll(part, "::", ""), ":")
		if typed {
			continue // NAME:TYPE, or else a later error says what is wrong with it
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
