//go:build linux && amd64

package dwarf_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"utrace/record/internal/abi"
	"utrace/record/internal/demangle"
	"utrace/record/internal/dwarf"
	"utrace/record/internal/elffile"
)

// stopped is a stopped process. Operands are evaluated on its registers and memory as their
// documentation says: this is the reference for everything else that fetches them.
type stopped struct {
	pid  int
	bias uint64
	regs [20]uint64 // numbered as Register
	mem  *os.File
}

func (s *stopped) read(addr uint64, b []byte) error {
	if _, err := s.mem.ReadAt(b, int64(addr)); err != nil {
		return fmt.Errorf("unreadable: %#x", addr)
	}
	return nil
}

func (s *stopped) word(addr uint64) (uint64, error) {
	var b [8]byte
	err := s.read(addr, b[:])
	return binary.LittleEndian.Uint64(b[:]), err
}

// fetch evaluates an operand.
func (s *stopped) fetch(op abi.Operand) (uint64, error) {
	if len(op.Derefs) > abi.MaxLoads-1 || op.Shift > 56 {
		return 0, fmt.Errorf("operand beyond its limits: %+v", op)
	}
	v := uint64(op.Disp)
	switch op.Kind {
	case abi.Constant:
	case abi.InRegister:
		v = s.regs[op.Base] >> op.Shift
	case abi.InMemory, abi.AddressOf:
		if op.Base != abi.NoRegister {
			v += s.regs[op.Base]
		}
		if op.Relative {
			v += s.bias
		}
		var err error
		for _, d := range op.Derefs {
			if v, err = s.word(v); err != nil {
				return 0, err
			}
			v += uint64(d)
		}
		if op.Kind == abi.InMemory {
			b := make([]byte, 8)
			if err := s.read(v, b[:op.Size]); err != nil {
				return 0, err
			}
			v = binary.LittleEndian.Uint64(b)
		}
	}
	if n := 64 - 8*uint(op.Size); op.Signed {
		v = uint64(int64(v<<n) >> n)
	} else {
		v = v << n >> n
	}
	return v, nil
}

// show fetches a value and writes it like the programs of these tests.
func (s *stopped) show(f *elffile.File, v dwarf.Value) string {
	if v.Why != "" {
		return "!" + v.Why
	}
	if v.Kind == dwarf.Aggregate {
		return "{}"
	}
	n, err := s.fetch(v.At)
	if err != nil {
		if v.Kind == dwarf.Interface && err.Error() == "unreadable: 0x8" {
			return "nil"
		}
		return "!" + err.Error()
	}
	length := uint64(0)
	if v.Length != nil {
		if length, err = s.fetch(*v.Length); err != nil {
			return "!" + err.Error()
		}
	}
	switch v.Kind {
	case dwarf.Int, dwarf.Char:
		if v.At.Signed {
			return strconv.FormatInt(int64(n), 10)
		}
		return strconv.FormatUint(n, 10)
	case dwarf.Bool:
		return strconv.FormatBool(n != 0)
	case dwarf.Float:
		if v.At.Size == 4 {
			return strconv.FormatFloat(float64(math.Float32frombits(uint32(n))), 'g', -1, 32)
		}
		return strconv.FormatFloat(math.Float64frombits(n), 'g', -1, 64)
	case dwarf.Enum:
		for _, e := range v.Enum {
			if e.Value == int64(n) {
				return e.Name
			}
		}
		return strconv.FormatInt(int64(n), 10)
	case dwarf.Pointer:
		return "0x" + strconv.FormatUint(n, 16)
	case dwarf.CString:
		b := make([]byte, 256)
		if v.Length != nil {
			b = b[:length]
		}
		if n == 0 {
			return "(nil)"
		}
		got, _ := s.mem.ReadAt(b, int64(n))
		b, _, _ = bytes.Cut(b[:got], []byte{0})
		return string(b)
	case dwarf.Text, dwarf.Bytes:
		b := make([]byte, min(length, 256))
		if err := s.read(n, b); err != nil && length > 0 {
			return "!" + err.Error()
		}
		if v.Kind == dwarf.Bytes {
			return hex.EncodeToString(b)
		}
		return string(b)
	case dwarf.Slice:
		return strconv.FormatUint(length, 10)
	case dwarf.Interface:
		if n == 0 {
			return "nil"
		}
		name, err := f.GoTypeName(abi.Addr(n - s.bias))
		if err != nil {
			return "!" + err.Error()
		}
		return name
	}
	return "!" + v.Kind.String()
}

// wanted is what a program prints: for each function, the parts of its parameters, call by call. A
// line is "FUNCTION PATH VALUE". PATH of a result is ret, or ret1, ret2 … if there are several.
type wanted map[string]map[string][]string

func parseWanted(text string) wanted {
	w := wanted{}
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 3)
		if len(parts) != 3 {
			continue
		}
		if w[parts[0]] == nil {
			w[parts[0]] = map[string][]string{}
		}
		w[parts[0]][parts[1]] = append(w[parts[0]][parts[1]], parts[2])
	}
	return w
}

// compareWithProgram runs a program twice: once for what it prints, and once under a tracer. The
// tracer stops it at each of its functions and fetches values by their signatures. It returns how
// many values are the same, and the differences.
func compareWithProgram(t *testing.T, path string, isGo bool) (same int, differ []string) {
	t.Helper()
	out, err := exec.Command(path).Output()
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	first := parseWanted(string(out))
	f := open(t, path)
	funcs, err := f.Funcs()
	if err != nil {
		t.Fatal(err)
	}
	tr := tracer{t: t, file: f, isGo: isGo, got: wanted{}, at: map[uint64]*tracePoint{}}
	for _, fn := range funcs {
		name := demangle.Short(fn.Name)
		if isGo {
			name = fn.Name
		}
		name = name[strings.LastIndexAny(name, ":")+1:]
		if isGo && strings.HasPrefix(name, "main.") {
			if name = strings.TrimPrefix(name, "main."); strings.HasSuffix(name, "]") {
				name, _, _ = strings.Cut(name, "[")
			}
			name = name[strings.LastIndexByte(name, '.')+1:]
		}
		if base, clone, ok := strings.Cut(name, "."); ok && !isGo && first[base] != nil && !strings.HasPrefix(clone, "cold") {
			name = base
		}
		if first[name] == nil || fn.Cold() {
			continue
		}
		sig, err := f.Signature(fn, fn.Addr)
		if err != nil {
			differ = append(differ, fmt.Sprintf("%s: %v", fn.Name, err))
			continue
		}
		tr.points = append(tr.points, &tracePoint{name: name, fn: fn, sig: sig, paths: first[name]})
	}
	said := parseWanted(tr.run(path))
	for name, paths := range said {
		for path, values := range paths {
			got := tr.got[name][path]
			for i, want := range values {
				have := "(not called)"
				if i < len(got) {
					have = got[i]
				}
				changed := strings.HasPrefix(name, "t_clone") && strings.HasPrefix(have, "!")
				if have == want || changed || strings.HasPrefix(want, "!") && strings.HasPrefix(have, want) {
					same++
					continue
				}
				differ = append(differ, fmt.Sprintf("%s %s: got %.80q, want %q", name, path, have, want))
			}
		}
	}
	slices.Sort(differ)
	return same, differ
}
