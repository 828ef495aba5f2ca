package elffile

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"utrace/record/internal/abi"
	"utrace/record/internal/elftest"
	"utrace/record/internal/insn"
)

// Every instruction boundary inside every function must be one of objdump's, and whatever objdump
// decodes must be decoded here.
func TestBoundariesAgreeWithObjdump(t *testing.T) {
	for _, path := range append(elftest.Fixtures(t), elftest.RealFiles()...) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if _, err := os.Stat(path); err != nil {
				t.Skip("not on this machine")
			}
			starts := elftest.Disassembly(t, path)
			f := open(t, path)
			funcs, err := f.Funcs()
			if err != nil {
				t.Fatal(err)
			}
			insts, outOfStep := 0, 0
			for _, fn := range slices.Concat(funcs, f.IFuncs()) {
				// Without symbols, objdump does not know that a function begins after data.
				// libcrypto has such a function.
				if starts[uint64(fn.Addr)] == "" && fn.Recovered && outOfStep < 3 {
					outOfStep++
					continue
				}
				if starts[uint64(fn.Addr)] == "" {
					t.Errorf("%s at %#x: objdump sees no instruction", fn.Name, fn.Addr)
				}
				at, afterWait := fn.Addr, false
				err := f.walk(fn, func(a abi.Addr, in insn.Inst) bool {
					// objdump takes fwait and the following x87 instruction for one.
					if starts[uint64(a)] == "" && !afterWait {
						t.Errorf("%s: no instruction at %#x", fn.Name, a)
						return false
					}
					b, _ := f.Code(a, 1)
					afterWait = b[0] == 0x9b
					at = a + abi.Addr(in.Len)
					insts++
					return true
				})
				if err != nil && elftest.IsInstruction(starts[uint64(at)]) {
					t.Errorf("%v: %s", err, starts[uint64(at)])
				}
			}
			t.Logf("%d functions, %d instructions", len(funcs), insts)
		})
	}
}
