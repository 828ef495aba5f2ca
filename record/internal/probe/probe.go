package probe

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Errors that callers distinguish. ErrProbe is wrapped by errors about one probe, ErrSyntax by
// errors about its text, and ErrPreset if no preset has the name.
var (
	ErrProbe  = errors.New("probe")
	ErrPreset = errors.New("no preset is called")
	ErrSyntax = errors.New("wrong syntax")
)

// Probe is a parsed PROBE of the command line: functions or static probes, and the files to search.
type Probe struct {
	Text    string // as written
	Exclude bool   // leaves out what it matches
	Path    string // the file, or
	Lib     string // the library; without both: the program itself

	Pattern *Pattern // names to match, unless
	Addr    *uint64  // a virtual address of the file is given
	Offset  uint64   // bytes into the function
	// Overload, unless nil, matches the names including the text that was read as arguments to
	// record. In "f(Point)" that text can also be the parameter of a C++ function.
	Overload *Pattern

	Tail   string       // the text after the name
	USDT   *USDTPattern // static probes to match, instead of all the above
	Values Values
	Span   Span
	Preset string    // the preset that it is part of, "" if the user wrote it
	Within string    // see PresetProbe
	Names  NameStyle // what its arguments name; NoNames: they are values
}

// Parse parses
//
//	[!][uprobe:|uretprobe:|u:|ur:][/path:|./path:|LIB:]FUNC[+OFFSET] or ...:0xADDRESS [(ARGUMENTS)] [-> TYPE] [if CONDITION]
//	[!]usdt:[/path:|./path:|LIB:][PROVIDER:]NAME [(ARGUMENTS)] [if CONDITION] [=> PROVIDER:NAME [on ARGUMENT]]
//
// FUNC and NAME are a name, a glob or a /regular expression/. A "::" is part of a name. A file
// whose name contains a colon is quoted: "/a:b/prog":FUNC. Errors wrap ErrProbe and ErrSyntax and
// say what is wrong.
func Parse(text string) (*Probe, error) {
	p := &Probe{Text: text}
	if err := p.parse(strings.TrimSpace(text)); err != nil {
		return nil, fmt.Errorf("%w %q: %w: %v", ErrProbe, Shorten(text), ErrSyntax, err)
	}
	return p, nil
}

func (p *Probe) parse(text string) error {
	if after, ok := strings.CutPrefix(text, "!"); ok {
		p.Exclude, text = true, strings.TrimSpace(after)
	}
	for _, prefix := range []string{"usdt:", "U:"} {
		if after, ok := strings.CutPrefix(text, prefix); ok {
			return p.parseUSDT(after)
		}
	}
	for _, prefix := range []string{"uprobe:", "uretprobe:", "u:", "ur:"} {
		if after, ok := strings.CutPrefix(text, prefix); ok {
			text = after
			break
		}
	}
	return p.parseFunction(strings.TrimSpace(text))
}

// cutQuoted cuts a quoted file from the beginning of a text. Without one, file is "".
func cutQuoted(text string) (file, rest string, err error) {
	inside, ok := strings.CutPrefix(text, `"`)
	if !ok {
		return "", text, nil
	}
	if file, rest, ok = strings.Cut(inside, `":`); !ok || file == "" {
		return "", "", errors.New(`expected "/path/to/file": in quotes, then a name`)
	}
	return file, rest, nil
}

// parseFunction parses a probe that is not of a static probe, without "!" and "uprobe:".
func (p *Probe) parseFunction(text string) error {
	quoted, text, err := cutQuoted(text)
	if err != nil {
		return err
	}
	parts, err := cutFunction(text)
	if err != nil {
		return err
	}
	if err := p.Values.parse(parts.args, parts.result, parts.condition); err != nil {
		return err
	}
	p.Tail = strings.TrimSpace(strings.TrimPrefix(text, parts.head))

	file, name := quoted, parts.head
	if quoted == "" {
		file, name = splitFile(parts.head)
	}
	if err := p.setFile(file); err != nil {
		return err
	}
	switch {
	case name == "" && file == "":
		return errors.New("it is empty; expected FUNC, LIB:FUNC or /path/to/file:FUNC")
	case name == "":
		return fmt.Errorf("no function after %q; use '*' for all functions", file+":")
	}

	if parts.whole != parts.head && areNames(parts.args) {
		whole := name + strings.TrimPrefix(parts.whole, parts.head)
		if p.Overload, err = NewPattern(whole); err != nil {
			return err
		}
		if p.Exclude {
			*p, name = *p.AsOverload(), whole
		}
	}
	if p.Exclude && p.Values.Any() {
		return errors.New("an exclusion only names functions")
	}
	return p.parseName(name)
}

// parseName parses "FUNC[+OFFSET]" or "0xADDRESS".
func (p *Probe) parseName(name string) (err error) {
	if addr, ok := strings.CutPrefix(name, "0x"); ok {
		v, err := strconv.ParseUint(addr, 16, 64)
		if err != nil {
			return fmt.Errorf("%q is not a hexadecimal address", name)
		}
		p.Addr = &v
		return nil
	}
	if !isRegexp(name) {
		if fn, off, ok := cutLast(name, "+"); ok && strings.HasPrefix(off, "0x") || ok && isDigits(off) {
			v, err := strconv.ParseUint(off, 0, 32)
			if err != nil {
				return fmt.Errorf("%q is not an offset into a function", "+"+off)
			}
			name, p.Offset = fn, v
		}
	}
	switch {
	case p.Exclude && p.Offset != 0:
		return errors.New("an exclusion names a function, not an instruction in it")
	case p.Offset != 0 && p.Values.Any():
		return fmt.Errorf("%q: an instruction is given, and %s", Shorten(p.Tail), WhyOfCalls)
	}
	p.Pattern, err = NewPattern(name)
	return err
}

// WhyOfCalls says why single instructions have no values.
const WhyOfCalls = "arguments, results and conditions need a call: leave them out, or probe the function"

// Shorten cuts a long text so that a message about it stays readable.
func Shorten(text string) string {
	const maxShort = 200 // bytes
	if len(text) <= maxShort {
		return text
	}
	return strings.ToValidUTF8(text[:maxShort], "") + "…"
}

// setFile parses the file of a probe.
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

// areNames reports whether a list of arguments can be the parameters of a C++ function: type names.
func areNames(args string) bool {
	return !slices.ContainsFunc(strings.Split(args, ","), func(part string) bool { return !isName(strings.TrimSpace(part)) })
}

// AsOverload returns the probe with the arguments to record as a part of the name.
func (p *Probe) AsOverload() *Probe {
	q := *p
	q.Pattern, q.Overload = p.Overload, nil
	q.Values.Args = nil
	return &q
}

// IsName reports whether the probe selects a function by exactly this name.
func (p *Probe) IsName(symbol string) bool {
	return !p.Exclude && p.Pattern != nil && p.Pattern.Literal == symbol
}

// splitFile splits "FILE:NAME" at the first colon that is not part of "::" or of an ABI tag, as in
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

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i > 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
