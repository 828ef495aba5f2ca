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
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"utrace/record/internal/abi"
	"utrace/record/internal/dwarf"
	"utrace/record/internal/elffile"
	"utrace/record/internal/procmaps"
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
		name := elffile.DemangleNoParams(fn.Name)
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

type tracePoint struct {
	name  string
	fn    elffile.Func
	sig   *dwarf.Signature
	paths map[string][]string
	ret   bool
}

type tracer struct {
	t      *testing.T
	file   *elffile.File
	isGo   bool
	points []*tracePoint
	got    wanted
	s      stopped
	at     map[uint64]*tracePoint // by address in the process
	saved  map[uint64]byte
	back   map[uint64][]uint64 // return addresses: stack pointers at which they count
}

// run runs the program under ptrace and returns what it printed.
func (tr *tracer) run(path string) string {
	t := tr.t
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stdout, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	cmd := exec.Command(path)
	cmd.Stdout, cmd.Stderr = stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	var status syscall.WaitStatus
	wait := func() {
		if _, err := syscall.Wait4(pid, &status, syscall.WALL, nil); err != nil {
			t.Fatal(err)
		}
	}
	wait()
	mem, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	defer mem.Close()
	tr.s = stopped{pid: pid, mem: mem, bias: tr.bias(pid)}
	tr.saved, tr.back = map[uint64]byte{}, map[uint64][]uint64{}
	for _, p := range tr.points {
		tr.at[uint64(p.fn.Addr)+tr.s.bias] = p
		tr.insert(uint64(p.fn.Addr) + tr.s.bias)
		if tr.isGo && len(p.sig.Results) > 0 {
			exits, err := tr.file.Exits(p.fn)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range exits.Returns {
				back := *p
				back.ret = true
				tr.at[uint64(r)+tr.s.bias] = &back
				tr.insert(uint64(r) + tr.s.bias)
			}
		}
	}
	sig := 0
	for {
		syscall.PtraceCont(pid, sig)
		if wait(); status.Exited() || status.Signaled() {
			break
		}
		if sig = int(status.StopSignal()); sig != int(syscall.SIGTRAP) {
			continue
		}
		sig = 0
		var regs syscall.PtraceRegs
		if err := syscall.PtraceGetRegs(pid, &regs); err != nil {
			t.Fatal(err)
		}
		addr := regs.Rip - 1
		if _, ok := tr.saved[addr]; !ok {
			continue
		}
		regs.Rip = addr
		tr.s.regs = [20]uint64{regs.R15, regs.R14, regs.R13, regs.R12, regs.Rbp, regs.Rbx, regs.R11, regs.R10, regs.R9, regs.R8,
			regs.Rax, regs.Rcx, regs.Rdx, regs.Rsi, regs.Rdi, regs.Orig_rax, regs.Rip, regs.Cs, regs.Eflags, regs.Rsp}
		tr.hit(addr)
		mem.WriteAt([]byte{tr.saved[addr]}, int64(addr))
		syscall.PtraceSetRegs(pid, &regs)
		for { // a signal that comes before the step is delivered after it
			syscall.PtraceSingleStep(pid)
			if wait(); !status.Stopped() || status.StopSignal() == syscall.SIGTRAP {
				break
			}
			sig = int(status.StopSignal())
		}
		if !status.Stopped() {
			break
		}
		mem.WriteAt([]byte{0xcc}, int64(addr))
	}
	if !status.Exited() || status.ExitStatus() != 0 {
		t.Errorf("%s under the tracer: status %#x", path, status)
	}
	cmd.Process.Release()
	out, err := os.ReadFile(stdout.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// bias is the difference between an address in the process and in the file.
func (tr *tracer) bias(pid int) uint64 {
	maps, err := procmaps.Read(pid)
	if err != nil {
		tr.t.Fatal(err)
	}
	seg := tr.file.Segments[0]
	for _, m := range maps {
		if m.Exec && m.Path == tr.file.Path && m.FileOff <= seg.FileOff && uint64(seg.FileOff-m.FileOff) < m.End-m.Start {
			return m.Start + uint64(seg.FileOff-m.FileOff) - uint64(seg.Addr)
		}
	}
	tr.t.Fatalf("%s is not mapped", tr.file.Path)
	return 0
}

func (tr *tracer) insert(addr uint64) {
	if _, ok := tr.saved[addr]; ok {
		return
	}
	var b [1]byte
	if err := tr.s.read(addr, b[:]); err != nil {
		tr.t.Fatal(err)
	}
	tr.saved[addr] = b[0]
	if _, err := tr.s.mem.WriteAt([]byte{0xcc}, int64(addr)); err != nil {
		tr.t.Fatal(err)
	}
}

// hit fetches the wanted values at an entry or a return.
func (tr *tracer) hit(addr uint64) {
	p := tr.at[addr]
	sp := tr.s.regs[abi.RSP]
	if waiting := tr.back[addr]; len(waiting) > 0 && p != nil && p.ret {
		i := slices.Index(waiting, sp)
		if i < 0 {
			return
		}
		tr.back[addr] = slices.Delete(waiting, i, i+1)
	}
	if p == nil {
		return
	}
	if !p.ret && !tr.isGo && len(p.sig.Results) > 0 {
		if to, err := tr.s.word(sp); err == nil {
			back := *p
			back.ret = true
			tr.at[to] = &back
			tr.back[to] = append(tr.back[to], sp+8)
			tr.insert(to)
		}
	}
	for path := range p.paths {
		v, ret, err := p.value(path)
		if ret != p.ret {
			continue
		}
		text := ""
		if err != nil {
			text = "!" + err.Error()
		} else {
			text = tr.s.show(tr.file, v)
		}
		if tr.got[p.name] == nil {
			tr.got[p.name] = map[string][]string{}
		}
		tr.got[p.name][path] = append(tr.got[p.name][path], text)
	}
}

// value returns the value that a path names, and whether it is one of the return.
func (p *tracePoint) value(path string) (v dwarf.Value, ret bool, err error) {
	name := strings.TrimLeft(path, "*")
	stars := path[:len(path)-len(name)]
	if end := strings.IndexAny(name, ".-["); end >= 0 {
		name = name[:end]
	}
	rest := strings.TrimPrefix(path[len(stars):], name)
	if digits, ok := strings.CutPrefix(name, "ret"); ok {
		n := 0
		if digits != "" {
			n, _ = strconv.Atoi(digits)
			n--
		}
		ret = true
		if n >= len(p.sig.Results) {
			return v, true, fmt.Errorf("no result %s", name)
		}
		v = p.sig.Results[n]
	} else if v, err = p.sig.Find(name); err != nil {
		return v, false, err
	}
	if stars+rest != "" {
		v, err = v.Member(stars + rest)
	}
	return v, ret, err
}
