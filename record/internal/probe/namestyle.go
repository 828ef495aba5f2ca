package probe

import "strings"

// NameStyle says how the arguments of an interpreter's probes form the name of a function. The zero
// value means that they are no name.
type NameStyle uint8

// Name styles, with the arguments of the probes.
const (
	NoNames     NameStyle = iota // they are values
	PythonNames                  // file, function, line
	PHPNames                     // function, file, line, class, scope operator
	JavaNames                    // thread, class and its length, method and its length, signature and its length
	RubyNames                    // class, method, file, line
)

// NameParts are the positions of a name's parts among the arguments, -1 for none.
type NameParts struct{ Function, Class, File, Line int }

// Parts returns the positions of the parts of a name.
func (s NameStyle) Parts() NameParts {
	switch s {
	case PythonNames:
		return NameParts{Function: 1, Class: -1, File: 0, Line: 2}
	case PHPNames:
		return NameParts{Function: 0, Class: 3, File: 1, Line: 2}
	case JavaNames:
		return NameParts{Function: 3, Class: 1, File: -1, Line: -1}
	case RubyNames:
		return NameParts{Function: 1, Class: 0, File: 2, Line: 3}
	}
	return NameParts{-1, -1, -1, -1}
}

// Mask returns the arguments that distinguish functions. It excludes the line, which is the
// interpreter's current one.
func (s NameStyle) Mask() (mask uint16) {
	p := s.Parts()
	for _, i := range []int{p.Function, p.Class, p.File} {
		if i >= 0 {
			mask |= 1 << i
		}
	}
	return mask
}

// Join returns a function's name as people write it.
func (s NameStyle) Join(class, function, file string) string {
	base := file[strings.LastIndexByte(file, '/')+1:]
	switch s {
	case PythonNames: // as bcc's uflow and similar tools
		switch base {
		case "":
			return function
		case "__init__.py": // with its package
			dir := file[:len(file)-len(base)]
			base = file[strings.LastIndexByte(strings.TrimSuffix(dir, "/"), '/')+1:]
		}
		return base + "." + function
	case PHPNames:
		switch {
		case function == "": // eval
			return base
		case function == "main" && class == "": // the top level of each file has this name
			return base + ":main"
		case class != "":
			return class + "::" + function
		}
	case JavaNames:
		class, _, _ = strings.Cut(class, "+0x") // the address of a lambda differs from run to run
		return strings.ReplaceAll(class, "/", ".") + "." + function
	case RubyNames:
		if class != "" {
			return class + "#" + function
		}
	}
	return function
}
