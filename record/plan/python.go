//go:build linux

package plan

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"utrace/record/internal/elffile"
	"utrace/record/internal/image"
	"utrace/record/internal/proc"
)

// pythonVersion is the version of CPython that a file contains.
type pythonVersion struct{ major, minor int }

func (v pythonVersion) String() string { return fmt.Sprintf("CPython %d.%d", v.major, v.minor) }

// pythonIn returns the version of the CPython in a file: a program or libpython. Since 3.11 the
// file exports it as a constant. Before that only file names have it. It is 0.0 if they do not.
func pythonIn(file *elffile.File) (v pythonVersion, ok bool) {
	if a, has := file.Exported("Py_Version"); has {
		if b := file.Data(a, 8); b != nil {
			n := binary.LittleEndian.Uint64(b)
			return pythonVersion{int(n >> 24 & 0xff), int(n >> 16 & 0xff)}, true
		}
	}
	if _, has := file.Exported("Py_GetVersion"); !has {
		return v, false
	}

	pattern := regexp.MustCompile(`^(?:lib)?python(\d)\.(\d+)`)
	for _, name := range []string{file.Soname, filepath.Base(file.Path)} {
		if m := pattern.FindStringSubmatch(name); m != nil {
			v.major, _ = strconv.Atoi(m[1])
			v.minor, _ = strconv.Atoi(m[2])
			break
		}
	}
	return v, true
}

// pythonProblem says what cannot be recorded of a CPython. It has static probes if it was built
// with them, as Debian's is. Even then, 3.12 to 3.14 lack those of functions.
func pythonProblem(img *image.Image, forbidden string) string {
	v, ok := pythonIn(img.File)
	switch {
	case forbidden != "":
		return img.Path + ": " + forbidden
	case !ok || hasUSDT(img.File, literalUSDT("python", "function__entry")):
		return ""
	case !hasUSDT(img.File, literalUSDT("python", "gc__start")):
		return img.Path + ": this CPython was built without --with-dtrace: it has no probes"
	case v.major == 3 && v.minor >= 12:
		return fmt.Sprintf("%s: %s has no probes of functions (3.12 to 3.14 compile none: cpython issues 98894, 104280): only garbage collection and imports can be recorded", img.Path, v)
	}
	return img.Path + ": this CPython has no probes of functions"
}

// raised returns the sites that raise semaphores of other static probes, without which a static
// probe does not work.
//
// Only CPython 3.11 needs that. It passes function__entry only on its tracing path, which it takes
// while the semaphore of line is above zero. A probe on line itself would trap at every line. So
// the semaphore is raised by a probe on an instruction that runs once, when the file is loaded.
func (u *usdtPlan) raised(n usdtName) []USDTSite {
	if n.provider != "python" || n.name != "function__entry" {
		return nil
	}
	if v, _ := pythonIn(u.file); v != (pythonVersion{3, 11}) {
		return nil
	}
	line := u.groups[usdtName{"python", "line"}]
	quiet, ok := u.file.InitAddr()
	if len(line) == 0 || line[0].Semaphore == 0 || !ok {
		return nil
	}
	sem, semOK := u.file.DataOff(line[0].Semaphore)
	off, offOK := u.file.FileOff(quiet)
	if !semOK || !offOK {
		return nil
	}
	return []USDTSite{{Addr: uint64(quiet), FileOff: uint64(off), SemaphoreOff: uint64(sem)}}
}

// NotUTF8 says which of the texts that CPython makes file names of is not UTF-8, "" if all are.
// Other variables, such as OLDPWD, may have any value.
func NotUTF8(c *proc.Invocation) string {
	switch {
	case !utf8.ValidString(strings.Join(c.Args, " ")):
		return "the command line"
	case !utf8.ValidString(c.Dir):
		return "the directory"
	}
	for _, name := range []string{"PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "VIRTUAL_ENV", "HOME", "PATH"} {
		if !utf8.ValidString(c.Variable(name)) {
			return "the variable " + name
		}
	}
	return ""
}
