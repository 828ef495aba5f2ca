package dwarf

import (
	"debug/elf"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"utrace/record/internal/abi"
	"utrace/record/internal/elftest"
)

// maxFuzzTime is the time that one small input may take, on a busy machine.
const maxFuzzTime = 5 * time.Second

// FuzzSignature reads signatures from mutated debugging information.
func FuzzSignature(f *testing.F) {
	for _, command := range [][]string{{"gcc", "-g", "-O2"}, {"gcc", "-g", "-O0", "-gdwarf-4"}, {"clang-19", "-g", "-O2"}} {
		if _, err := exec.LookPath(command[0]); err != nil {
			continue
		}
		path := filepath.Join(f.TempDir(), "prog")
		if out, err := exec.Command(command[0], append(command[1:], "-o", path, "testdata/small.c")...).CombinedOutput(); err != nil {
			f.Fatalf("%v\n%s", err, out)
		}
		file, err := elf.Open(path)
		if err != nil {
			f.Fatal(err)
		}
		section := func(name string) (b []byte) {
			if s := file.Section(name); s != nil {
				b, _ = s.Data()
			}
			return b
		}
		f.Add(section(".debug_abbrev"), section(".debug_info"), section(".debug_str"), section(".debug_loc"), section(".debug_loclists"), section(".debug_addr"), false)
		file.Close()
	}
	for _, h := range hostileTypes() {
		if d := h.unit.data(); len(d.Info) < 1<<10 { // a large one is slow to mutate
			f.Add(d.Abbrev, d.Info, []byte{}, []byte{}, []byte{}, []byte{}, false)
		}
	}
	f.Fuzz(func(t *testing.T, abbrev, info, str, loc, loclists, addr []byte, arm bool) {
		start := time.Now()
		machine := elf.EM_X86_64
		if arm {
			machine = elf.EM_AARCH64
		}
		d := New(&Sections{Abbrev: abbrev, Info: info, Str: str, Loc: loc, Loclists: loclists, Addr: addr}, machine)
		for i, u := range d.units {
			u.once.Do(func() { d.readFunctions(u) })
			for _, fn := range u.functions[:min(len(u.functions), 20)] {
				readSignature(t, d, Function{Addr: fn.addr, Name: "f"})
			}
			if i == 20 {
				break
			}
		}
		if d := time.Since(start); d > maxFuzzTime {
			t.Errorf("took %v", d)
		}
	})
}

// readSignature reads the signature of a function and the parts of its parameters, and follows
// their first members.
func readSignature(t *testing.T, d *Info, fn Function) {
	s, err := d.Signature(fn, fn.Addr+4)
	if err != nil {
		return
	}
	values := append(s.Params, s.Results...)
	for _, parts := range Parts(values) {
		if len(parts) > maxParams {
			t.Errorf("%s: %d parts", fn.Name, len(parts))
		}
		for _, v := range parts {
			checkValue(t, v)
		}
	}
	for _, v := range values {
		checkValue(t, v)
		s.Find(v.Name + "x")
		for _, path := range []string{"*", "**", "[3]", "->x", ".x", ".next->next->next->next", "[1][1].x"} {
			if m, err := v.Member(path); err == nil {
				checkValue(t, m)
			}
		}
	}
}

// checkValue checks that a value without a reason can be fetched within the limits.
func checkValue(t *testing.T, v Value) {
	ops := []abi.Operand{v.At}
	if v.Length != nil {
		ops = append(ops, *v.Length)
	}
	for _, op := range ops {
		if v.Why != "" || v.Kind == Aggregate {
			continue
		}
		size := op.Size == 1 || op.Size == 2 || op.Size == 4 || op.Size == 8
		if !size || len(op.Derefs) > abi.MaxLoads-1 || op.Shift > 56 || op.Kind == abi.InRegister && op.Base > 31 {
			t.Errorf("%s %s: %+v", v.TypeName, v.Name, op)
		}
	}
}

func FuzzFrames(f *testing.F) {
	for _, name := range []string{"pie", "nopie", "arm64"} {
		file, err := elf.Open(filepath.Join(elftest.SplitDir, name+".elf"))
		if err != nil {
			f.Fatal(err)
		}
		section := file.Section(".eh_frame")
		data, err := section.Data()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, section.Addr, name == "arm64")
		file.Close()
	}
	f.Fuzz(func(t *testing.T, data []byte, addr uint64, arm bool) {
		machine := elf.EM_X86_64
		if arm {
			machine = elf.EM_AARCH64
		}
		for _, fr := range ParseFrames(data, addr, machine) {
			if fr.Size == 0 || fr.End() < fr.Start {
				t.Errorf("%+v", fr)
			}
		}
	})
}
