package elftest

import (
	"bufio"
	"debug/elf"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// Disassembly returns the text of each instruction that objdump finds, by address.
func Disassembly(t *testing.T, path string) map[uint64]string {
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
	insts := map[uint64]string{}
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
		insts[n] = strings.TrimSpace(text)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return insts
}

// IsInstruction reports whether objdump's text is of an instruction. In data between functions
// objdump finds instructions that do not exist, and prefixes without an instruction.
func IsInstruction(text string) bool {
	words := strings.Fields(text)
	switch last := words[len(words)-1]; {
	case strings.Contains(text, "(bad)"), strings.HasPrefix(words[0], "."), words[0] == "udf", words[0] == "data16",
		strings.HasPrefix(last, "rex"), strings.HasPrefix(last, "rep"), last == "lock", last == "bnd", last == "addr32",
		len(last) == 2 && last[1] == 's': // a segment
		return false
	}
	return true
}
