package elffile

import (
	"bufio"
	"debug/elf"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// realFiles are files of the machine on which the tests run, if they are there; none with -short.
func realFiles() []string {
	if testing.Short() {
		return nil
	}
	return []string{
		"/lib/x86_64-linux-gnu/libc.so.6",
		"/lib/x86_64-linux-gnu/libcrypto.so.3",
		"/lib/x86_64-linux-gnu/libstdc++.so.6",
		"/lib/x86_64-linux-gnu/libm.so.6",
		"/lib/x86_64-linux-gnu/libz.so.1",
		"/usr/bin/python3.11",
	}
}

// disassembly returns the text of every instruction that objdump finds.
func disassembly(t *testing.T, path string) map[Addr]string {
	t.Helper()
	tool := "objdump"
	if f, err := elf.Open(path); err == nil && f.Machine == elf.EM_AARCH64 {
		tool = "aarch64-linux-gnu-objdump"
	}
	if _, err := exec.LookPath(tool); err != nil {
		t.Skip(tool + " is not installed")
	}
	cmd := exec.Command(tool, "-d", "-z", "-w", "--no-show-raw-insn", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	insts := map[Addr]string{}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		at, text, ok := strings.Cut(strings.TrimSpace(lines.Text()), ":\t")
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(at, 16, 64)
		if err != nil {
			continue
		}
		insts[Addr(n)] = strings.TrimSpace(text)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return insts
}

// known says whether objdump knows the instruction with this text. In data between functions it finds instructions that do not exist,
// and prefixes without an instruction.
func known(text string) bool {
	words := strings.Fields(text)
	switch last := words[len(words)-1]; {
	case strings.Contains(text, "(bad)"), strings.HasPrefix(words[0], "."), words[0] == "udf", words[0] == "data16",
		strings.HasPrefix(last, "rex"), strings.HasPrefix(last, "rep"), last == "lock", last == "bnd", last == "addr32",
		len(last) == 2 && last[1] == 's': // a segment
		return false
	}
	return true
}

// Every instruction boundary inside every function must be objdump's, and what objdump decodes, we decode.
func TestBoundariesAgreeWithObjdump(t *testing.T) {
	for _, path := range append(fixtures(t), realFiles()...) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if _, err := os.Stat(path); err != nil {
				t.Skip("not on this machine")
			}
			starts := disassembly(t, path)
			f := open(t, path)
			funcs, err := f.Funcs()
			if err != nil {
				t.Fatal(err)
			}
			insts, outOfStep := 0, 0
			for _, fn := range slices.Concat(funcs, f.IFuncs()) {
				// Without symbols, objdump does not know that a function begins behind data: one in libcrypto.
				if starts[fn.Addr] == "" && fn.Recovered && outOfStep < 3 {
					outOfStep++
					continue
				}
				if starts[fn.Addr] == "" {
					t.Errorf("%s at %#x: objdump sees no instruction", fn.Name, fn.Addr)
				}
				at, afterWait := fn.Addr, false
				err := f.walk(fn, func(a Addr, in inst) bool {
					// objdump takes fwait and the x87 instruction behind it for one.
					if starts[a] == "" && !afterWait {
						t.Errorf("%s: no instruction at %#x", fn.Name, a)
						return false
					}
					b, _ := f.Code(a, 1)
					afterWait = b[0] == 0x9b
					at = a + Addr(in.len)
					insts++
					return true
				})
				if err != nil && known(starts[at]) {
					t.Errorf("%v: %s", err, starts[at])
				}
			}
			t.Logf("%d functions, %d instructions", len(funcs), insts)
		})
	}
}

// Every instruction that objdump decodes anywhere in the file has the same length for us, local functions of
// stripped libraries and their AVX code included. Only in data that lies among the code may we refuse one.
func TestLengthsAgreeWithObjdump(t *testing.T) {
	for _, path := range append(fixtures(t), realFiles()...) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if _, err := os.Stat(path); err != nil {
				t.Skip("not on this machine")
			}
			text := disassembly(t, path)
			f := open(t, path)
			decode := decodeX86
			if f.Machine == elf.EM_AARCH64 {
				decode = decodeARM64
			}
			starts := slices.Sorted(maps.Keys(text))
			agree, refused := 0, 0
			for i, a := range starts[:len(starts)-1] {
				next := starts[i+1]
				if !known(text[a]) || f.codeSection(a) != f.codeSection(next) {
					continue
				}
				code, err := f.Code(a, min(maxInst, f.room(a)))
				if err != nil {
					t.Fatal(err)
				}
				in, ok := decode(code, a)
				switch {
				case !ok:
					refused++
				case Addr(in.len) != next-a && code[0] != 0x9b:
					t.Errorf("%#x: %s: %d bytes, want %d", a, text[a], in.len, next-a)
				default:
					agree++
				}
			}
			t.Logf("%d agree, %d refused", agree, refused)
			if refused > agree/10_000+2 {
				t.Errorf("%d of %d instructions refused", refused, agree)
			}
		})
	}
}
