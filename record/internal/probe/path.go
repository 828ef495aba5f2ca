package probe

import (
	"fmt"
	"strings"
)

// path is how a value is reached from a parameter of a function, as in req->headers[2].name or *count.
type Path struct {
	Name  string // of the parameter
	Steps string // behind it, as in C; with a "*" in front for what it points to
}

func (p Path) String() string {
	if rest, ok := strings.CutPrefix(p.Steps, "*"); ok {
		return "*" + p.Name + rest
	}
	return p.Name + p.Steps
}

// parsePath parses [*]NAME{->NAME|.NAME|[NUMBER]}.
func ParsePath(text string) (Path, error) {
	rest, star := strings.CutPrefix(text, "*")
	name := leadingName(rest)
	if name == "" {
		return Path{}, fmt.Errorf("%q is not a name, nor a path such as req->len", text)
	}
	steps := rest[len(name):]
	for at := steps; at != ""; {
		switch {
		case strings.HasPrefix(at, "->"), strings.HasPrefix(at, "."):
			at = strings.TrimPrefix(strings.TrimPrefix(at, "->"), ".")
			member := leadingName(at)
			if member == "" {
				return Path{}, fmt.Errorf("%q: the name of a member is expected behind %q", text, text[:len(text)-len(at)])
			}
			at = at[len(member):]
		case strings.HasPrefix(at, "["):
			number, after, ok := strings.Cut(at[1:], "]")
			if !ok || !isDigits(number) || len(number) > 9 {
				return Path{}, fmt.Errorf("%q: a number in brackets is expected behind %q", text, text[:len(text)-len(at)])
			}
			at = after
		default:
			return Path{}, fmt.Errorf("%q: ->, . or [ is expected behind %q", text, text[:len(text)-len(at)])
		}
	}
	if star {
		steps = "*" + steps
	}
	return Path{name, steps}, nil
}

// leadingName returns the name that a text begins with.
func leadingName(text string) string {
	n := 0
	for n < len(text) && isName(text[:n+1]) {
		n++
	}
	return text[:n]
}
