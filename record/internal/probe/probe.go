package probe

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

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

	Pattern *Pattern // names to match, unless
	Addr    *uint64  // the virtual address in the file is given
	Offset  uint64   // bytes into the function
	// overload matches the names together with what has been read as the arguments to record: in "f(Point)" this may be
	// the parameter of a C++ function. nil if they can be nothing else.
	Overload *Pattern

	Tail   string       // what stands behind the name
	USDT   *USDTPattern // static probes to match, instead of all these
	Values Values
	Span   Span
	Preset string    // that it is part of, "" if it was written by the user
	Within string    // see PresetProbe
	Names  NameStyle // what the values of these probes are the name of; noNames: they are values
}

// ParseProbe parses
//
//	[!][uprobe:|uretprobe:|u:|ur:][/path:|./path:|LIB:]FUNC[+OFFSET] or ...:0xADDRESS [(ARGUMENTS)] [-> TYPE] [if CONDITION]
//	[!]usdt:[/path:|./path:|LIB:][PROVIDER:]NAME [(ARGUMENTS)] [if CONDITION] [=> PROVIDER:NAME [on ARGUMENT]]
//
// where FUNC is a name, a glob or a /regular expression/. A "::" is part of a
// name. Errors wrap ErrProbe and ErrSyntax and say what is wrong.
func Parse(text string) (*Probe, error) {
	p := &Probe{Text: text}
	rest := strings.TrimSpace(text)
	fail := func(format string, args ...any) (*Probe, error) {
		return nil, fmt.Errorf("%w %q: %w: %s", ErrProbe, Shorten(text), ErrSyntax, fmt.Sprintf(format, args...))
	}
	if after, ok := strings.CutPrefix(rest, "!"); ok {
		p.Exclude, rest = true, strings.TrimSpace(after)
	}
	for _, prefix := range []string{"usdt:", "U:"} {
		if after, ok := strings.CutPrefix(rest, prefix); ok {
			if err := p.parseUSDT(after); err != nil {
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
		err = p.Values.parse(argText, result, cond)
	}
	if err != nil {
		return fail("%v", err)
	}
	p.Tail = strings.TrimSpace(strings.TrimPrefix(rest, head))
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
		if p.Overload, err = NewPattern(name); err != nil {
			return fail("%v", err)
		}
	}
	if p.Exclude && p.Overload != nil {
		_, name = splitFile(whole)
		p = p.AsOverload()
	}
	if p.Exclude && p.Values.Any() {
		return fail("an exclusion only names functions")
	}
	if addr, ok := strings.CutPrefix(name, "0x"); ok {
		v, err := strconv.ParseUint(addr, 16, 64)
		if err != nil {
			return fail("%q is not a hexadecimal address", name)
		}
		p.Addr = &v
		return p, nil
	}
	if !isRegexp(name) {
		if fn, off, ok := cutLast(name, "+"); ok && strings.HasPrefix(off, "0x") || ok && isDigits(off) {
			v, err := strconv.ParseUint(off, 0, 32)
			if err != nil {
				return fail("%q is not an offset into a function", "+"+off)
			}
			name, p.Offset = fn, v
		}
	}
	if p.Exclude && p.Offset != 0 {
		return fail("an exclusion names a function, not a place in it")
	}
	if p.Offset != 0 && p.Values.Any() {
		return fail("%q: an instruction is given, and %s", Shorten(p.Tail), WhyOfCalls)
	}
	if p.Pattern, err = NewPattern(name); err != nil {
		return fail("%v", err)
	}
	return p, nil
}

// whyOfCalls says why single instructions have no values.
const WhyOfCalls = "arguments, results and conditions are of calls: leave them out, or probe the function"

// shorten keeps a message about a long text readable.
func Shorten(text string) string {
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
func (p *Probe) AsOverload() *Probe {
	q := *p
	q.Pattern, q.Overload = p.Overload, nil
	q.Values.Args = nil
	return &q
}

// isName reports whether the probe selects a function by its very name.
func (p *Probe) IsName(symbol string) bool {
	return !p.Exclude && p.Pattern != nil && p.Pattern.Literal == symbol
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
type Pattern struct {
	Literal string         // or
	re      *regexp.Regexp // of a glob or a regular expression
	all     bool           // "*"
}

func NewPattern(text string) (*Pattern, error) {
	if !isRegexp(text) {
		text = elffile.WithoutABI(text) // which would be a set of a glob
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

func (p *Pattern) Match(name string) bool {
	if p.re != nil {
		return p.re.MatchString(name)
	}
	return p.all || p.Literal == name
}

// matchFunc reports whether the pattern names a function: by its symbol, by another symbol of it (aliases), or by what
// these read demangled, with or without parameters. It returns the symbol it matched.
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
	full := elffile.Demangle(symbol)
	return full != symbol &&
		(p.Match(full) || p.Match(elffile.WithoutABI(full)) || p.Match(elffile.DemangleNoParams(symbol)))
}
