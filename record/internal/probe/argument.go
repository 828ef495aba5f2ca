package probe

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"utrace/record/internal/suggest"
)

// Argument is an argument that a probe fetches.
type Argument struct {
	Name   string // "argN" for argument N without a name
	Pos    int    // index of the static probe's operand, or of the function's parameter
	Path   *Path  // of a function, if a parameter is named and not counted
	Type   Type
	Hidden bool // fetched for a condition or a length, not recorded

	LengthAt int // index, counted from 1, of the argument with its length; 0 for none

	Described bool // it comes from "...": left out, without an error, if it cannot be read
}

// parseArguments parses "NAME:TYPE, TYPE, …", the text between the parentheses of a probe. For a
// function it also accepts NAME and paths such as req->len, whose types are in the debug
// information. "..." means all arguments, with the types that the probe itself describes.
func parseArguments(text string, ofFunction bool) (args []Argument, all bool, err error) {
	text = strings.TrimSpace(text)
	switch text {
	case "...":
		return nil, true, nil
	case "":
		return nil, false, nil
	}
	for i, part := range splitArguments(text) {
		a, err := parseArgument(strings.TrimSpace(part), i, ofFunction)
		if err != nil {
			return nil, false, fmt.Errorf("argument %d: %w", i+1, err)
		}
		for _, other := range args {
			if other.Name == a.Name {
				return nil, false, fmt.Errorf("two arguments are called %q", a.Name)
			}
		}
		args = append(args, a)
	}
	if len(args) > MaxArgs {
		return nil, false, fmt.Errorf("%d arguments: at most %d are possible", len(args), MaxArgs)
	}
	if ofFunction { // the debug information may know more lengths
		return args, false, nil
	}
	return addLengths(args)
}

// parseArgument parses the argument at an index of the list.
func parseArgument(text string, at int, ofFunction bool) (a Argument, err error) {
	name, typ, named := strings.Cut(text, ":")
	name = strings.TrimSpace(name)
	if !named {
		typ, err := parseType(text)
		if err == nil {
			return Argument{Name: fmt.Sprintf("arg%d", at+1), Pos: at, Type: typ}, nil
		}
		if !ofFunction {
			return a, err
		}
	}
	p, pathErr := ParsePath(name)
	switch {
	case pathErr != nil && ofFunction:
		return a, pathErr
	case pathErr != nil || p.Steps != "" && !ofFunction:
		return a, fmt.Errorf("%q is not a name", name)
	}
	a.Name, a.Pos, a.Path = name, at, &p
	if !named {
		return a, nil
	}
	if n, ok := ArgumentNumber(name); ok {
		if n < 1 || n > MaxArgs {
			return a, fmt.Errorf("%s: the arguments are arg1 to arg%d", name, MaxArgs)
		}
		a.Pos, a.Path = n-1, nil
	}
	a.Type, err = parseType(strings.TrimSpace(typ))
	return a, err
}

// ArgumentNumber returns N of argN.
func ArgumentNumber(name string) (n int, ok bool) {
	digits, ok := strings.CutPrefix(name, "arg")
	if !ok || !isDigits(digits) {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		n = 0
	}
	return n, true
}

// addLengths adds the arguments with the lengths of buffers, hidden unless they are recorded.
func addLengths(args []Argument) ([]Argument, bool, error) {
	for i := range args {
		if args[i].Type.Kind != KindBuffer {
			continue
		}
		at, err := (*Arguments)(&args).Find(args[i].Type.Length, Type{Name: "s64", Signed: true})
		if err != nil {
			return nil, false, err
		}
		if args[at].Type.HasBytes() || args[at].Type.Kind == KindFloat {
			return nil, false, fmt.Errorf("%q is not a number of bytes", args[i].Type.Length)
		}
		args[i].LengthAt = at + 1
	}
	return args, false, nil
}

// Arguments are the arguments of a static probe. They are a Scope.
type Arguments []Argument

// Recorded reports whether a recorded argument has the name.
func (l *Arguments) Recorded(name string) bool {
	return slices.ContainsFunc(*l, func(a Argument) bool { return a.Name == name && !a.Hidden })
}

// Find returns the index of the argument with a name. arg1, arg2 … are the first, second … argument
// of the probe. If it is not in the list yet, it is added, hidden, with the type like.
func (l *Arguments) Find(name string, like Type) (at int, err error) {
	for i, a := range *l {
		if a.Name == name && !a.Hidden {
			return i, nil
		}
	}
	if n, ok := ArgumentNumber(name); ok {
		if n < 1 || n > MaxArgs {
			return 0, fmt.Errorf("%s: the arguments are arg1 to arg%d", name, MaxArgs)
		}
		for i, a := range *l {
			if a.Pos == n-1 && a.Type.HasBytes() == like.HasBytes() {
				return i, nil
			}
		}
		if len(*l) >= MaxArgs {
			return 0, fmt.Errorf("more than %d arguments, including those of conditions", MaxArgs)
		}
		*l = append(*l, Argument{Name: name, Pos: n - 1, Type: like, Hidden: true})
		return len(*l) - 1, nil
	}
	names := make([]string, 0, len(*l))
	for _, a := range *l {
		names = append(names, a.Name)
	}
	return 0, fmt.Errorf("no argument is called %q%s", name, suggest.Nearest(name, names))
}

// LookUp returns the index of the argument with a name, and its type. It may add one, as Find does.
func (l *Arguments) LookUp(name string, like Type) (at int, typ Type, err error) {
	if at, err = l.Find(name, like); err != nil {
		return 0, typ, err
	}
	return at, (*l)[at].Type, nil
}

func isName(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
