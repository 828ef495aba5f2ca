//go:build linux

package phpini

import (
	"iter"

	"utrace/record/internal/proc"
)

// Enabled returns where a setting of PHP is turned on for a process or command: a file, or an
// option of the command line. It returns "" if the setting is off, or the program is not PHP. The
// last of in.Args is the path of the program.
func Enabled(in *proc.Invocation, setting string) (source string) {
	php := programOf(in)
	if php == nil {
		return ""
	}
	opts := php.options()
	if source, found := lastOn(opts.defined(), setting, in); found {
		return source
	}
	files := &fileSystem{root: in.Root}
	for _, b := range php.builtinDirs(files) {
		if source, _ := lastOn(files.texts(php.iniFiles(files, opts, b)), setting, in); source != "" {
			return source
		}
	}
	return ""
}

// lastOn returns the name of the last text that has a setting, "" if it turns the setting off.
func lastOn(texts iter.Seq2[string, string], setting string, in *proc.Invocation) (name string, found bool) {
	for n, text := range texts {
		if v, ok := valueOf(setting, text, in.Variable); ok {
			name, found = "", true
			if isOn(v) {
				name = n
			}
		}
	}
	return name, found
}
