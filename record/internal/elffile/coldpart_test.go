package elffile

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"utrace/record/internal/abi"
	"utrace/record/internal/elftest"
)

// assembled returns a program of assembly, and the addresses of its symbols.
func assembled(t *testing.T, text string) (*File, map[string]abi.Addr) {
	t.Helper()
	elftest.NeedsTool(t, "gcc", "nm")
	dir := t.TempDir()
	elftest.WriteFile(t, dir+"/text.s", text)
	if out, err := exec.Command("gcc", "-nostdlib", "-static", "-o", dir+"/bin", dir+"/text.s").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return open(t, dir+"/bin"), symbolsOf(t, dir+"/bin")
}

// asmFunction returns the assembly of a function.
func asmFunction(name, body string) string {
	return fmt.Sprintf(".globl %s\n.type %[1]s,@function\n%[1]s: %s\n.size %[1]s,.-%[1]s\n", name, body)
}

// A function can also be left in a part that is moved out of line. A part that only has unwind
// tables may be a function that several others jump to.
func TestColdPartsLeave(t *testing.T) {
	for _, part := range []string{"f.cold: %s\n.type f.cold,@function\n.size f.cold,.-f.cold\n", "0: .cfi_startproc\n%s\n.cfi_endproc\n"} {
		label := "f.cold"
		if !strings.HasPrefix(part, label) {
			label = "0b"
		}
		f, symbols := assembled(t, ".text\n"+asmFunction("_start", "hlt")+asmFunction("other", "ret")+
			fmt.Sprintf(part, "test %edi,%edi\nje 3f\ntail: jmp other\n1: .byte 0x90,0xc3\n3: lea 1b(%rip),%rax\nunlikely: ret")+
			asmFunction("f", "test %edi,%edi\njne "+label+"\nlikely: ret"))
		e, err := f.Exits(find(t, f, "f")[0])
		returns, tailCalls := []abi.Addr{symbols["likely"]}, []abi.Addr(nil)
		if label == "f.cold" {
			returns, tailCalls = []abi.Addr{symbols["unlikely"], symbols["likely"]}, []abi.Addr{symbols["tail"]}
		}
		if err != nil || !slices.Equal(e.Returns, returns) || !slices.Equal(e.TailCalls, tailCalls) || e.MoreTargets {
			t.Errorf("%s: %+v, want returns %#x and tail calls at %#x: %v", label, e, returns, tailCalls, err)
		}
	}
}

// Thousands of branches into parts with thousands of branches back must not take memory or time for
// the product of both numbers.
func TestManyBranchesToColdParts(t *testing.T) {
	const branches = 3000 // with 5 bytes each 15 KB, of the 16 that are looked through
	for _, parts := range []int{1, 3} {
		text := ".text\n" + asmFunction("_start", "hlt")
		body := "nop\n"
		for i := range parts {
			text += asmFunction(fmt.Sprintf("f.cold.%d", i), strings.Repeat("jmp f+1\n", branches))
			for at := range branches {
				body += fmt.Sprintf("jne f.cold.%d+%d\n", i, 5*at)
			}
		}
		f, _ := assembled(t, text+".fill 256,1,0x90\n"+asmFunction("f", body+"ret")) // too far for short jumps
		e, err := f.Exits(find(t, f, "f")[0])
		if err != nil || len(e.Targets) > branches || e.MoreTargets != (parts > 1) {
			t.Errorf("%d parts: %d targets, more %v: %v", parts, len(e.Targets), e.MoreTargets, err)
		}
	}
}
