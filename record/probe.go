package record

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"utrace/record/internal/abi"
	"utrace/record/internal/elffile"
)

// ErrProbe is wrapped by errors that are about one probe, ErrSyntax by those that are about its text, and ErrPreset where a preset
// does not exist.
var (
	ErrProbe  = errors.New("probe")
	ErrPreset = errors.New("no preset is called")
	ErrSyntax = errors.New("wrong syntax")
)

// Probe is a parsed PROBE of the command line: which functions or static probes, in which files.
type Probe struct {
	Text    string // as it was written
	Exclude bool   // leaves out what it matches
	Path    string // of the file; or
	Lib     string // the library; neither: the program itself

	pattern *pattern  // names to match, unless
	addr    *abi.Addr // an address is given
	delta   uint64    // bytes into the function
	// overload matches the names together with what has been read as the arguments to record: in "f(Point)" this may be
	// the parameter of a C++ function. nil if they can be nothing else. See forFuncs.
	overload *pattern

	behind string         // what stands behind the name
	static *staticPattern // static probes to match, instead of all these
	values values
	spans  spanRule
	preset string    // that it is part of, "" if it was written by the user
	within string    // see PresetProbe
	names  nameStyle // what the values of these probes are the name of; noNames: they are values
}

// ParseProbe parses
//
//	[!][uprobe:|uretprobe:|u:|ur:][/path:|./path:|LIB:]FUNC[+OFFSET] or ...:0xADDRESS [(ARGUMENTS)] [-> TYPE] [if CONDITION]
//	[!]usdt:[/path:|./path:|LIB:][PROVIDER:]NAME [(ARGUMENTS)] [if CONDITION] [=> PROVIDER:NAME [on ARGUMENT]]
//
// where FUNC is a name, a glob or a /regular expression/. A "::" is part of a
// name. Errors wrap ErrProbe and ErrSyntax and say what is wrong.
func ParseProbe(text string) (*Probe, error) {
	p := &Probe{Text: text}
	rest := strings.TrimSpace(text)
	fail := func(format string, args ...any) (*Probe, error) {
		return nil, fmt.Errorf("%w %q: %w: %s", ErrProbe, shorten(text), ErrSyntax, fmt.Sprintf(format, args...))
	}
	if after, ok := strings.CutPrefix(rest, "!"); ok {
		p.Exclude, rest = true, strings.TrimSpace(after)
	}
	for _, prefix := range []string{"usdt:", "U:"} {
		if after, ok := strings.CutPrefix(rest, prefix); ok {
			if err := p.parseStatic(after); err != nil {
				return fail("%v", err)
			}
			return p, nil
		}
	}
	for _, prefix := range []string{"uprobe:", "uretprobe:", "u:", "ur:"} {
		if after, ok := strings.CutPrefix(rest, prefix); ok {
			rest = after
			break
		}
	}
	rest = strings.TrimSpace(rest)
	head, whole, argText, result, cond, err := cutFunction(rest)
	if err == nil {
		err = p.values.parse(argText, result, cond)
	}
	if err != nil {
		return fail("%v", err)
	}
	p.behind = strings.TrimSpace(strings.TrimPrefix(rest, head))
	file, name := splitFile(head)
	if err := p.setFile(file); err != nil {
		return fail("%v", err)
	}
	switch {
	case name == "" && file == "":
		return fail("it is empty; expected FUNC, LIB:FUNC or /path/to/file:FUNC")
	case name == "":
		return fail("no function after %q; use '*' for all of them", file+":")
	}
	if whole != head && areNames(argText) {
		_, name := splitFile(whole)
		if p.overload, err = newPattern(name); err != nil {
			return fail("%v", err)
		}
	}
	if p.Exclude && p.overload != nil {
		_, name = splitFile(whole)
		p = p.asOverload()
	}
	if p.Exclude && p.values.any() {
		return fail("an exclusion only names functions")
	}
	if addr, ok := strings.CutPrefix(name, "0x"); ok {
		v, err := strconv.ParseUint(addr, 16, 64)
		if err != nil {
			return fail("%q is not a hexadecimal address", name)
		}
		p.addr = (*abi.Addr)(&v)
		return p, nil
	}
	if !isRegexp(name) {
		if fn, off, ok := cutLast(name, "+"); ok && strings.HasPrefix(off, "0x") || ok && isDigits(off) {
			v, err := strconv.ParseUint(off, 0, 32)
			if err != nil {
				return fail("%q is not an offset into a function", "+"+off)
			}
			name, p.delta = fn, v
		}
	}
	if p.Exclude && p.delta != 0 {
		return fail("an exclusion names a function, not a place in it")
	}
	if p.delta != 0 && p.values.any() {
		return fail("%q: an instruction is given, and %s", shorten(p.behind), whyOfCalls)
	}
	if p.pattern, err = newPattern(name); err != nil {
		return fail("%v", err)
	}
	return p, nil
}

// whyOfCalls says why single instructions have no values.
const whyOfCalls = "arguments, results and conditions are of calls: leave them out, or probe the function"

// shorten keeps a message about a long text readable.
func shorten(text string) string {
	const most = 200
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// setFile reads the part of a probe that says in which file to look.
func (p *Probe) setFile(file string) (err error) {
	switch {
	case strings.HasPrefix(file, "/"):
		p.Path = filepath.Clean(file)
	case strings.HasPrefix(file, "./"), strings.HasPrefix(file, "../"):
		p.Path, err = filepath.Abs(file)
	default:
		p.Lib = file
	}
	return err
}

// areNames reports whether a list of arguments can be a list of the parameters of a C++ function: names of types.
func areNames(args string) bool {
	return !slices.ContainsFunc(strings.Split(args, ","), func(part string) bool { return !isName(strings.TrimSpace(part)) })
}

// asOverload is the probe with what was read as arguments to record as a part of the name.
func (p *Probe) asOverload() *Probe {
	q := *p
	q.pattern, q.overload = p.overload, nil
	q.values.args = nil
	return &q
}

// forFuncs is the probe as it is to be read for the functions of a file: one that has such parameters decides.
func (p *Probe) forFuncs(funcs []elffile.Func) *Probe {
	if p.overload != nil && slices.ContainsFunc(funcs, func(fn elffile.Func) bool { _, ok := p.overload.match(fn); return ok }) {
		return p.asOverload()
	}
	return p
}

// isName reports whether the probe selects a function by its very name.
func (p *Probe) isName(symbol string) bool {
	return !p.Exclude && p.pattern != nil && p.pattern.literal == symbol
}

// splitFile splits "FILE:NAME" at the first colon that is no part of "::" or of an ABI tag, as in
// "name[abi:cxx11]", and not inside a /regular expression/.
func splitFile(s string) (file, name string) {
	if isRegexp(s) && !strings.Contains(s, ":") {
		return "", s
	}
	for i := 0; i < len(s); i++ {
		if s[i] != ':' || strings.HasSuffix(s[:i], "[abi") {
			continue
		}
		if i+1 < len(s) && s[i+1] == ':' {
			i++
			continue
		}
		return s[:i], s[i+1:]
	}
	return "", s
}

func isRegexp(s string) bool { return len(s) > 2 && s[0] == '/' && s[len(s)-1] == '/' }

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i > 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// pattern matches names of functions.
type pattern struct {
	literal string         // or
	re      *regexp.Regexp // of a glob or a regular expression
	all     bool           // "*"
}

func newPattern(text string) (*pattern, error) {
	if !isRegexp(text) {
		text = elffile.WithoutABI(text) // which would be a set of a glob
	}
	switch {
	case text == "*":
		return &pattern{all: true}, nil
	case isRegexp(text):
		re, err := regexp.Compile(text[1 : len(text)-1])
		if err != nil {
			return nil, fmt.Errorf("regular expression: %w", err)
		}
		return &pattern{re: re}, nil
	case strings.ContainsAny(text, "*?["):
		re, err := globRegexp(text)
		if err != nil {
			return nil, err
		}
		return &pattern{re: re}, nil
	}
	return &pattern{literal: text}, nil
}

// globRegexp translates a glob: * any text, ? any character, [a-z] [!a-z] sets.
// A '[' that is not closed, as in "operator[", stands for itself.
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

func (p *pattern) matchString(name string) bool {
	if p.re != nil {
		return p.re.MatchString(name)
	}
	return p.all || p.literal == name
}

// match reports whether the pattern names a function: by one of its symbols,
// or by what they read demangled, with or without parameters. It returns the
// symbol it matched.
func (p *pattern) match(fn elffile.Func) (symbol string, ok bool) {
	if p.all {
		return fn.Name, true
	}
	for i := -1; i < len(fn.Aliases); i++ {
		name := fn.Name
		if i >= 0 {
			name = fn.Aliases[i]
		}
		if p.matchString(name) {
			return name, true
		}
		if !strings.HasPrefix(name, "_") { // neither C++ nor Rust
			continue
		}
		if full := elffile.Demangle(name); full != name {
			if p.matchString(full) || p.matchString(elffile.WithoutABI(full)) || p.matchString(elffile.DemangleNoParams(name)) {
				return name, true
			}
		}
	}
	return "", false
}
