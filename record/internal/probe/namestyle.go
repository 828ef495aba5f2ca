package probe

import "strings"

// nameStyle says what the arguments of an interpreter's probes are the name of, and how people
// write that.
type NameStyle uint8

const (
	NoNames     NameStyle = iota // of nothing
	PythonNames                  // file, function, line
	PHPNames                     // function, file, line, class, scope operator
	JavaNames                    // thread, class and its length, method and its length, signature and its length
	RubyNames                    // class, method, file, line
)

// nameParts are where the parts of a name are among the arguments, -1 for none.
type nameParts struct{ Function, Class, File, Line int }

func (s NameStyle) Parts() nameParts {
	switch s {
	case PythonNames:
		return nameParts{Function: 1, Class: -1, File: 0, Line: 2}
	case PHPNames:
		return nameParts{Function: 0, Class: 3, File: 1, Line: 2}
	case JavaNames:
		return nameParts{Function: 3, Class: 1, File: -1, Line: -1}
	case RubyNames:
		return nameParts{Function: 1, Class: 0, File: 2, Line: 3}
	}
	return nameParts{-1, -1, -1, -1}
}

// mask returns the arguments that tell one function from another: not the line, which is where
// the interpreter stands.
func (s NameStyle) Mask() (mask uint16) {
	p := s.Parts()
	for _, i := range []int{p.Function, p.Class, p.File} {
		if i >= 0 {
			mask |= 1 << i
		}
	}
	return mask
}

// join makes a name from its parts.
func (s NameStyle) Join(class, function, file string) string {
	base := file[strings.LastIndexByte(file, '/')+1:]
	switch s {
	case PythonNames: // as bcc's uflow and its like
		switch base {
		case "":
			return function
		case "__init__.py": // of which package
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
		class, _, _ = strings.Cut(class, "+0x") // a lambda's has an address that differs from run to run
		return strings.ReplaceAll(class, "/", ".") + "." + function
	case RubyNames:
		if class != "" {
			return class + "#" + function
		}
	}
	return function
}
