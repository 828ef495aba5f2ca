//go:build linux

package plan

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"utrace/record/internal/elffile"
	"utrace/record/internal/image"
	"utrace/record/internal/probe"
	"utrace/record/internal/proc"
)

// addProblems takes note of what of the presets cannot be recorded in a scope, and returns what is new. Of a file that has
// appeared later it is said once, not for each process.
func (p *Plan) AddProblems(sc *Scope, later bool) (added []string) {
	before := len(p.Problems)
	sc.follow = p.follow
	for _, preset := range p.presets {
		told := p.reported[preset.Name]
		if told == nil {
			told = map[image.Version]bool{}
			p.reported[preset.Name] = told
		}
		for _, img := range sc.all() {
			if later && told[img.Version] {
				continue
			}
			text := presetProblem(preset.Name, sc, img, p.refused[img])
			if text == "" {
				continue
			}
			told[img.Version] = true
			if text = fmt.Sprintf("preset %s: %s", preset.Name, text); !slices.Contains(p.Problems, text) {
				p.Problems = append(p.Problems, text)
			}
		}
	}
	return p.Problems[before:]
}

// presetProblem says what of a preset cannot be recorded in a file of a scope, and why, "" if nothing is known to be missing. refused says
// why the probes that break some processes must not be attached, see refuse.
func presetProblem(name string, sc *Scope, img *image.Image, refused string) string {
	switch name {
	case "java":
		return javaProblem(sc, img)
	case "php":
		return phpProblem(sc, img)
	case "postgres":
		return postgresProblem(sc, img)
	case "python":
		return pythonProblem(img, refused)
	case "ruby":
		return rubyProblem(sc, img)
	}
	return ""
}

// pythonVersion is the version of CPython that a file holds.
type pythonVersion struct{ major, minor int }

func (v pythonVersion) String() string { return fmt.Sprintf("CPython %d.%d", v.major, v.minor) }

// pythonIn returns the version of the CPython in a file: a program or libpython. Since 3.11 a constant tells it, before
// that only names do; it is 0.0 where they do not.
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
	for _, name := range []string{file.Soname, filepath.Base(file.Path)} {
		if m := regexp.MustCompile(`^(?:lib)?python(\d)\.(\d+)`).FindStringSubmatch(name); m != nil {
			v.major, _ = strconv.Atoi(m[1])
			v.minor, _ = strconv.Atoi(m[2])
			break
		}
	}
	return v, true
}

// pythonProblem: CPython has its probes if it was built with them, as Debian's is, and 3.12 to 3.14
// lack those of functions even then.
func pythonProblem(img *image.Image, refused string) string {
	v, ok := pythonIn(img.File)
	switch {
	case refused != "":
		return img.Path + ": " + refused
	case !ok || hasUSDT(img.File, literalUSDT("python", "function__entry")):
		return ""
	case !hasUSDT(img.File, literalUSDT("python", "gc__start")):
		return img.Path + ": this CPython was built without --with-dtrace: it has no probes"
	case v.major == 3 && v.minor >= 12:
		return fmt.Sprintf("%s: %s has no probes of functions (3.12 to 3.14 compile none: cpython issues 98894, 104280): only garbage collection and imports can be recorded", img.Path, v)
	}
	return img.Path + ": this CPython has no probes of functions"
}

// literalStatic is the pattern of one static probe.
func literalUSDT(provider, name string) *probe.USDTPattern {
	return &probe.USDTPattern{Provider: &probe.Pattern{Literal: provider}, Name: &probe.Pattern{Literal: name}}
}

// phpProblem: PHP passes the probes of functions if USE_ZEND_DTRACE was set when it started; it exports what it
// has found. php-fpm overwrites the environment that others see.
func phpProblem(sc *Scope, img *image.Image) string {
	off, ok := img.File.Exported("zend_dtrace_enabled")
	if !ok {
		if _, php := img.File.Exported("zend_parse_parameters"); php {
			return img.Path + ": this PHP was built without --enable-dtrace: it has no probes"
		}
		return ""
	}
	without := func(who string) string {
		return who + ": functions, compilation and errors need USE_ZEND_DTRACE=1 in the environment when PHP starts (of php-fpm: that of its service); without it only requests and exceptions are recorded"
	}
	if sc.command != nil {
		if n, _ := strconv.Atoi(sc.command.Variable("USE_ZEND_DTRACE")); n <= 0 {
			return without(img.Path)
		}
		return ""
	}
	for _, pid := range sc.mapping(img) {
		mem := openMemory(pid, img)
		if mem == nil {
			continue
		}
		b := mem.read(mem.addr(off), 1)
		mem.close()
		if b != nil && b[0] == 0 {
			return without(fmt.Sprintf("process %d (%s)", pid, img.Path))
		}
	}
	return ""
}

// javaFlags turn the probes of methods on; the latter also others. It is gone in JDK 25.
var javaFlags = []string{"DTraceMethodProbes", "ExtendedDTraceProbes"}

// javaProblem: HotSpot passes the probes of methods if a flag was set when it started.
func javaProblem(sc *Scope, img *image.Image) string {
	if _, ok := img.File.Exported("gHotSpotVMStructs"); !ok {
		return ""
	}
	if !hasUSDT(img.File, literalUSDT("hotspot", "method__entry")) {
		return img.Path + ": this JVM was built without --enable-dtrace: it has no probes of methods"
	}
	without := func(who string) string {
		return who + ": methods need -XX:+DTraceMethodProbes on the command line of the JVM, or in JAVA_TOOL_OPTIONS when it starts; without it only garbage collection and class loading are recorded"
	}
	if c := sc.command; c != nil {
		text := strings.Join(c.Args, " ")
		for _, name := range []string{"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"} {
			text += " " + c.Variable(name)
		}
		for _, flag := range javaFlags {
			if strings.Contains(text, "-XX:+"+flag) {
				return ""
			}
		}
		if strings.Contains(text, "-XX:Flags=") || strings.Contains(text, "-XX:VMOptionsFile=") || strings.Contains(text, " @") {
			return "" // it may be there
		}
		return without(img.Path)
	}
	for _, pid := range sc.mapping(img) {
		mem := openMemory(pid, img)
		if mem == nil {
			continue
		}
		on, known := mem.jvmFlag("DTraceMethodProbes")
		mem.close()
		if known && !on {
			return without(fmt.Sprintf("process %d (%s)", pid, img.Path))
		}
	}
	return ""
}

// postgresProblem: the queries are those of children of the process that people know.
func postgresProblem(sc *Scope, img *image.Image) string {
	if sc.PID == 0 || sc.follow || img != sc.Program || !hasUSDT(img.File, literalUSDT("postgresql", "query__start")) {
		return ""
	}
	if kids := proc.Children(sc.PID); len(kids) > 0 {
		return fmt.Sprintf("process %d is the postmaster, which runs no queries; its %d children do: record its children, or every process", sc.PID, len(kids))
	}
	return ""
}

// rubyProblem: Ruby passes the probes of methods only while some part of the program traces calls and returns
// (RUBY_EVENT_CALL 8 and RUBY_EVENT_RETURN 16 in a variable that it exports; since 2.5, Ruby bug 14582).
func rubyProblem(sc *Scope, img *image.Image) string {
	off, ok := img.File.Exported("ruby_vm_event_flags")
	if !ok || !hasUSDT(img.File, literalUSDT("ruby", "method__entry")) {
		return ""
	}
	const without = ": methods are passed to probes only while the program has TracePoint.new(:call, :return) enabled; without it only garbage collection, require, load, parsing and exceptions are recorded"
	if sc.command != nil {
		return img.Path + without
	}
	for _, pid := range sc.mapping(img) {
		mem := openMemory(pid, img)
		if mem == nil {
			continue
		}
		b := mem.read(mem.addr(off), 1)
		mem.close()
		if b != nil && b[0]&24 != 24 {
			return fmt.Sprintf("process %d (%s)%s", pid, img.Path, without)
		}
	}
	return ""
}

// refuse finds out which static probes of a file must not be attached in a scope: those that would break
// the program.
//
// CPython encodes the names of a function when it passes a probe, and a name that cannot be encoded
// leaves an exception behind that breaks the program (SystemError; seen with 3.11).
func (p *Plan) refuse(sc *Scope, img *image.Image) {
	if !hasUSDT(img.File, literalUSDT("python", "function__entry")) {
		return
	}
	const why = "%s not UTF-8: CPython breaks a program whose names its probes cannot encode"
	if c := sc.command; c != nil && sc.PID == 0 {
		if part := NotUTF8(c); part != "" {
			p.refused[img] = fmt.Sprintf(why, part+" is")
		}
	}
	for _, pid := range sc.mapping(img) {
		if part := NotUTF8(proc.InvocationOf(pid)); part != "" {
			p.refused[img] = fmt.Sprintf(why, fmt.Sprintf("%s of process %d is", part, pid))
		}
	}
}

// breaking are the static probes that break those processes that refuse is about. Where processes are probed that are not
// known beforehand, these are for a guard.
func breakingProbes() []usdtName {
	return []usdtName{
		{"python", "function__entry"}, {"python", "function__return"}, {"python", "line"},
		{"python", "import__find__load__start"}, {"python", "import__find__load__done"},
	}
}

// harm says why a static probe of the file must not be attached, "" if it may.
//
// The probes of Ruby's methods in C ask for the name of each class; that of a class of the interpreter itself has
// been freed by the first garbage collection (rb_dtrace_setup; 3.1: 12 of 12 programs that go on to use alias crash).
func (p *Plan) harm(img *image.Image, n usdtName) string {
	switch {
	case slices.Contains(breakingProbes(), n):
		return p.refused[img]
	case n.provider == "ruby" && strings.HasPrefix(n.name, "cmethod__"):
		return "it crashes Ruby: use after free in rb_dtrace_setup after a garbage collection"
	}
	return ""
}

// notUTF8 names what CPython makes names of files of that is not UTF-8, "" if all is. Other variables, such as OLDPWD, may be anything.
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

// mapping returns the running processes of a scope that have mapped a file.
func (sc *Scope) mapping(img *image.Image) (pids []int) {
	if sc.PID != 0 {
		return []int{sc.PID}
	}
	if sc.Program != nil {
		return nil
	}
	for _, pid := range proc.All() {
		if m := openMemory(pid, img); m != nil {
			m.close()
			pids = append(pids, pid)
		}
	}
	return pids
}

// startedLibraries are libraries that a program always loads when it starts, though the dynamic linker
// does not know: the java launcher finds its JVM from where it lies itself.
func startedLibraries(program *image.Image) []string {
	if dir := filepath.Dir(program.Path); filepath.Base(dir) == "bin" && slices.Contains(program.File.Needed, "libjli.so") {
		return []string{filepath.Join(dir, "../lib/server/libjvm.so")}
	}
	return nil
}

// raised returns where to raise the semaphores of other probes without which a probe does not work.
//
// CPython 3.11, alone, passes function__entry only while it interprets on its tracing path, which it takes while
// the semaphore of line is above zero. A probe on line would trap on every line. The semaphore is raised
// by a probe on an instruction that is executed once, when the file is loaded.
func (s *usdtPlan) raised(n usdtName) []USDTSite {
	if n.provider != "python" || n.name != "function__entry" {
		return nil
	}
	if v, _ := pythonIn(s.file); v != (pythonVersion{3, 11}) {
		return nil
	}
	line := s.groups[usdtName{"python", "line"}]
	quiet, ok := s.file.InitAddr()
	if len(line) == 0 || line[0].Semaphore == 0 || !ok {
		return nil
	}
	sem, semOK := s.file.DataOff(line[0].Semaphore)
	off, offOK := s.file.FileOff(quiet)
	if !semOK || !offOK {
		return nil
	}
	return []USDTSite{{Addr: uint64(quiet), FileOff: uint64(off), SemaphoreOff: uint64(sem)}}
}
