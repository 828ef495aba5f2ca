package record

import "strings"

// nameStyle says what the arguments of an interpreter's probes are the name of, and how people
// write that.
type nameStyle uint8

const (
	noNames     nameStyle = iota // of nothing
	pythonNames                  // file, function, line
	phpNames                     // function, file, line, class, scope operator
	javaNames                    // thread, class and its length, method and its length, signature and its length
	rubyNames                    // class, method, file, line
)

// nameParts are where the parts of a name are among the arguments, -1 for none.
type nameParts struct{ function, class, file, line int }

func (s nameStyle) parts() nameParts {
	switch s {
	case pythonNames:
		return nameParts{function: 1, class: -1, file: 0, line: 2}
	case phpNames:
		return nameParts{function: 0, class: 3, file: 1, line: 2}
	case javaNames:
		return nameParts{function: 3, class: 1, file: -1, line: -1}
	case rubyNames:
		return nameParts{function: 1, class: 0, file: 2, line: 3}
	}
	return nameParts{-1, -1, -1, -1}
}

// mask returns the arguments that tell one function from another: not the line, which is where
// the interpreter stands.
func (s nameStyle) mask() (mask uint16) {
	p := s.parts()
	for _, i := range []int{p.function, p.class, p.file} {
		if i >= 0 {
			mask |= 1 << i
		}
	}
	return mask
}

// join makes a name from its parts.
func (s nameStyle) join(class, function, file string) string {
	base := file[strings.LastIndexByte(file, '/')+1:]
	switch s {
	case pythonNames: // as bcc's uflow and its like
		switch base {
		case "":
			return function
		case "__init__.py": // of which package
			dir := file[:len(file)-len(base)]
			base = file[strings.LastIndexByte(strings.TrimSuffix(dir, "/"), '/')+1:]
		}
		return base + "." + function
	case phpNames:
		switch {
		case function == "": // eval
			return base
		case function == "main" && class == "": // the top level of each file has this name
			return base + ":main"
		case class != "":
			return class + "::" + function
		}
	case javaNames:
		class, _, _ = strings.Cut(class, "+0x") // a lambda's has an address that differs from run to run
		return strings.ReplaceAll(class, "/", ".") + "." + function
	case rubyNames:
		if class != "" {
			return class + "#" + function
		}
	}
	return function
}
