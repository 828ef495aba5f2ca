//go:build linux && amd64

package dwarf_test

import (
	"fmt"
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
	tr.follow(pid, wait, &status)
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

// follow lets the process run until it ends, and fetches values wherever it stops at a breakpoint.
func (tr *tracer) follow(pid int, wait func(), status *syscall.WaitStatus) {
	t, mem := tr.t, tr.s.mem
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
