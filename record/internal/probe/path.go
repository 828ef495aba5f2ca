package probe

import (
	"fmt"
	"strings"
)

// Path leads from a parameter of a function to a value, as in req->headers[2].name or *count.
type Path struct {
	Name  string // of the parameter
	Steps string // the rest, as in C; preceded by a "*" to dereference the result
}

func (p Path) String() string {
	if rest, ok := strings.CutPrefix(p.Steps, "*"); ok {
		return "*" + p.Name + rest
	}
	return p.Name + p.Steps
}

// ParsePath parses [*]NAME{->NAME|.NAME|[NUMBER]}.
func ParsePath(text string) (Path, error) {
	rest, star := strings.CutPrefix(text, "*")
	name := leadingName(rest)
	if name == "" {
		return Path{}, fmt.Errorf("%q is neither a name nor a path such as req->len", text)
	}
	steps := rest[len(name):]
	for at := steps; at != ""; {
		switch {
		case strings.HasPrefix(at, "->"), strings.HasPrefix(at, "."):
			at = strings.TrimPrefix(strings.TrimPrefix(at, "->"), ".")
			member := leadingName(at)
			if member == "" {
				return Path{}, fmt.Errorf("%q: expected the name of a member after %q", text, text[:len(text)-len(at)])
			}
			at = at[len(member):]
		case strings.HasPrefix(at, "["):
			number, after, ok := strings.Cut(at[1:], "]")
			if !ok || !isDigits(number) || len(number) > 9 {
				return Path{}, fmt.Errorf("%q: expected a number in brackets after %q", text, text[:len(text)-len(at)])
			}
			at = after
		default:
			return Path{}, fmt.Errorf("%q: expected ->, . or [ after %q", text, text[:len(text)-len(at)])
		}
	}
	if star {
		steps = "*" + steps
	}
	return Path{name, steps}, nil
}

// leadingName returns the name at the beginning of a text.
func leadingName(text string) string {
	n := 0
	for n < len(text) && isName(text[:n+1]) {
		n++
	}
	return text[:n]
}
