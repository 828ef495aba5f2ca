//go:build linux

package plan

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"utrace/record/internal/image"
	"utrace/record/internal/phpini"
	"utrace/record/internal/proc"
	"utrace/record/internal/procmaps"
)

// TextReader is a process that reads machine code as data: to translate it, to copy it elsewhere,
// or to patch it. A breakpoint that it carries along ends the program, since the kernel knows
// breakpoints only where it has put them.
type TextReader struct {
	Why   string // for people, as the predicate of the process: "translates the code that it runs"
	Scope ReadScope

	Suspected bool // breakpoints may do no harm
}

// ReadScope is the code that a TextReader reads.
type ReadScope uint8

const (
	// ReadsAny reads the code of any file that the process maps.
	ReadsAny ReadScope = iota
	// ReadsProgram reads the code of the process's own program.
	ReadsProgram
	// ReadsTracees reads the code of other processes, which it debugs.
	ReadsTracees
)

// Reads reports whether the process reads the code of a file. program is the process's program.
func (r *TextReader) Reads(file, program image.Key) bool {
	return r != nil && (r.Scope == ReadsAny || r.Scope == ReadsProgram && file == program)
}

// ReadsOthers reports whether the program that the process executes next, or processes that it
// debugs, may read code as well.
func (r *TextReader) ReadsOthers() bool { return r != nil && r.Scope != ReadsProgram }

// readerNames are programs that read code, by file name.
//
// Sources: valgrind, qemu-user, DynamoRIO, Pin, box64 and FEX are translators. rr patches system
// calls in the code of what it records. Debuggers save the bytes under their own breakpoints, and
// step over copies of instructions.
func readerNames() map[string]TextReader {
	translates := TextReader{Why: "translates the code that it runs"}
	debugs := TextReader{Why: "debugs other processes, whose code it changes", Scope: ReadsTracees}
	return map[string]TextReader{
		"valgrind": translates, "valgrind.bin": translates, "drrun": translates, "pin": translates, "pinbin": translates,
		"box64": translates, "box86": translates, "FEXInterpreter": translates, "FEXLoader": translates, "rosetta": translates,
		"gdb": debugs, "gdbserver": debugs, "lldb": debugs, "lldb-server": debugs, "dlv": debugs, "rr": debugs, "ltrace": debugs,
		"r2": debugs, "radare2": debugs, "edb": debugs,
	}
}

// readerLibraries are libraries that read or patch the code of their process, by the beginning of
// the file name.
func readerLibraries() map[string]TextReader {
	patches := TextReader{Why: "has %s, which copies and patches code"}
	moves := TextReader{Why: "has %s, which moves the code of its program to huge pages", Scope: ReadsProgram}
	return map[string]TextReader{
		"vgpreload_":      {Why: "has %s: valgrind translates its code"},
		"libdynamorio.so": {Why: "has %s, which translates its code"},
		"librrpreload":    patches, "librrpage": patches, "libdyninstAPI_RT": patches, "libmcount": patches,
		"frida-agent": patches, "frida-gadget": patches, "libfrida": patches, "libfunchook": patches, "libsubhook": patches,
		"libhugetlbfs.so": moves, "liblppreload.so": moves, "liblarge_page": moves, "libelfremapper.so": moves,
		"libvespa_load_as_huge.so": {Why: "has %s, which moves all code to huge pages"},
	}
}

// RunningTextReader says how a running process reads code, nil if nothing is known of that.
func RunningTextReader(pid int) *TextReader {
	var libs []string
	maps, _ := procmaps.Read(pid)
	for _, m := range maps {
		if m.Exec && m.Inode != 0 {
			libs = append(libs, m.Path)
		}
	}
	if r := LibraryTextReader(libs); r != nil {
		return r
	}
	return StartedTextReader(pid)
}

// StartedTextReader says how a process reads code that has just executed a program and mapped no
// library.
func StartedTextReader(pid int) *TextReader {
	if r := textReader(proc.InvocationOf(pid)); r != nil {
		return r
	}
	return debugged(pid)
}

// refuseTextReaders returns an error if a process that was asked for, or the command, reads code in
// which the plan has probes. Where that is only a suspicion, it adds a problem.
func (p *Plan) refuseTextReaders(scopes []*Scope, asked []int) error {
	for _, sc := range scopes {
		var r *TextReader
		switch {
		case sc.Program == nil, sc.PID != 0 && !slices.Contains(asked, sc.PID):
			continue
		case sc.PID != 0:
			r = RunningTextReader(sc.PID)
		default:
			r = textReader(sc.command)
		}
		r = cmp.Or(r, LibraryTextReader(sc.LibPaths()))
		for _, m := range p.Modules {
			if !r.Reads(m.Image.Key, sc.Program.Key) || !slices.Contains(sc.all(), m.Image) && r.Scope == ReadsProgram {
				continue
			}
			if r.Suspected {
				p.Problems = append(p.Problems, fmt.Sprintf("%s %s: breakpoints may end it", sc.describe(), r.Why))
				break
			}
			return fmt.Errorf("%w: %s %s: breakpoints in it would kill the program", ErrTextReader, sc.describe(), r.Why)
		}
	}
	return nil
}

// textReader says how a program that was started in some way reads code.
func textReader(in *proc.Invocation) *TextReader {
	names := readerNames()
	for i, arg := range in.Args {
		isProgram := i == len(in.Args)-1 || i == 0
		isScript := i == 1 && strings.Contains(arg, "/") && slices.Contains([]string{"sh", "dash", "bash"}, baseName(in.Args[len(in.Args)-1]))
		if r, ok := names[baseName(arg)]; ok && (isProgram || isScript) {
			return &r
		}
		if isProgram && translates(arg) {
			r := names["valgrind"]
			return &r
		}
	}
	preloads := strings.FieldsFunc(in.Variable("LD_PRELOAD"), func(c rune) bool { return c == ':' || c == ' ' })
	if r := LibraryTextReader(preloads); r != nil {
		return r
	}
	return largePages(in)
}

// LibraryTextReader says how a process with these libraries reads code, nil if nothing is known of
// that.
func LibraryTextReader(paths []string) *TextReader {
	readers := readerLibraries()
	for _, path := range paths {
		name := baseName(path)
		for prefix, r := range readers {
			if strings.HasPrefix(name, prefix) {
				r.Why = fmt.Sprintf(r.Why, name)
				return &r
			}
		}
	}
	return nil
}

// translates reports whether a program is a tool of valgrind, or one of the emulators of qemu for
// single programs. Those for whole machines (qemu-system-*) run no code of a file.
func translates(program string) bool {
	name := baseName(program)
	if strings.HasPrefix(name, "qemu-") {
		rest := strings.TrimSuffix(strings.TrimPrefix(name, "qemu-"), "-static")
		return slices.Contains([]string{"x86_64", "i386", "aarch64", "arm", "armeb", "riscv64", "ppc64le", "s390x", "mips64", "mips64el", "mipsel", "loongarch64"}, rest)
	}
	return strings.Contains(filepath.Dir(program)+"/", "/valgrind/")
}

// largePages says whether options, variables or settings of a program have it move its code to huge
// pages. It knows Node.js (src/large_pages/node_large_page.cc), PHP (accel_move_code_to_huge_pages
// in ext/opcache) and libhugetlbfs.
func largePages(in *proc.Invocation) *TextReader {
	moves := func(option string) *TextReader {
		return &TextReader{Why: fmt.Sprintf("moves its code to huge pages (%s)", option), Scope: ReadsProgram}
	}
	for _, option := range append(strings.Fields(in.Variable("NODE_OPTIONS")), in.Args...) {
		if value, ok := strings.CutPrefix(option, "--use-largepages="); ok && value != "off" {
			return moves(option)
		}
	}
	if source := phpini.Enabled(in, "opcache.huge_code_pages"); source != "" {
		return moves("opcache.huge_code_pages, " + source)
	}
	if in.Variable("HUGETLB_ELFMAP") != "" && in.Variable("HUGETLB_ELFMAP") != "no" {
		return moves("HUGETLB_ELFMAP")
	}
	return nil
}

// debugged says whether a debugger traces a process.
func debugged(pid int) *TextReader {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil
	}
	_, rest, _ := bytes.Cut(status, []byte("\nTracerPid:\t"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	tracer, err := strconv.Atoi(string(line))
	if err != nil || tracer == 0 {
		return nil
	}
	name := proc.Comm(tracer)
	if r, ok := readerNames()[name]; !ok || r.Scope != ReadsTracees {
		return nil
	}
	return &TextReader{Why: fmt.Sprintf("is debugged by %s (process %d), which copies its code", name, tracer), Suspected: true}
}
