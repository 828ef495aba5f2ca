package elffile

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"utrace/record/internal/abi"
	"utrace/record/internal/elftest"
)

// FollowsCall must be true for every address after a call that objdump sees, and for few others.
// Calls must know which function is called.
func TestFollowsCall(t *testing.T) {
	for _, name := range []string{"pie", "cxx", "arm64"} {
		f := fixture(t, name)
		tool := "objdump"
		if name == "arm64" {
			tool = "aarch64-linux-gnu-objdump"
		}
		text, err := exec.Command(tool, "-d", "--no-show-raw-insn", filepath.Join(elftest.Dir, name+".elf")).Output()
		if err != nil {
			t.Logf("no %s: %v", tool, err)
			continue
		}
		calls, others, wrong, behind, called := 0, 0, 0, false, ""
		for line := range strings.Lines(string(text)) {
			if line == "\n" || strings.HasSuffix(line, ">:\n") { // a name; the function before may end in a call that does not return
				continue
			}
			hex, insn, ok := strings.Cut(strings.TrimSpace(line), ":")
			at, err := strconv.ParseUint(hex, 16, 64)
			if !ok || err != nil || insn == "" {
				behind = false
				continue
			}
			switch is := f.FollowsCall(abi.Addr(at)); {
			case behind && !is:
				t.Errorf("%s: %#x is behind a call", name, at)
			case behind:
				calls++
			case is:
				wrong++
			default:
				others++
			}
			if target, _, _ := strings.Cut(called, " "); behind && target != "" {
				to, err := strconv.ParseUint(target, 16, 64)
				if direct := err == nil; f.Calls(abi.Addr(at), abi.Addr(to)) != direct || f.Calls(abi.Addr(at), abi.Addr(to+1)) {
					t.Errorf("%s: the call before %#x, of %s, is not recognized", name, at, called)
				}
			}
			word := append(strings.Fields(insn), "")[0]
			_, called, _ = strings.Cut(strings.Join(strings.Fields(insn), " "), " ")
			behind = strings.HasPrefix(word, "call") || word == "bl" || strings.HasPrefix(word, "blr")
		}
		if calls == 0 || wrong*100 > others {
			t.Errorf("%s: %d calls; of what is behind no call %d were taken for it, %d were not", name, calls, wrong, others)
		}
	}
}

func TestKeepsFramePointers(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no gcc")
	}
	source := filepath.Join(t.TempDir(), "calls.c")
	elftest.WriteFile(t, source, `
int sink;
__attribute__((noinline)) int leaf(int n) { return sink += n; }
__attribute__((noinline)) int caller(int n) { int a = leaf(n); return a + leaf(n + 1) + n; }
__attribute__((noinline)) int late(int n) { if (n < 0) return 0; int a = caller(n); return a + caller(n + 1) + n; }
int main(int argc, char **argv) { return late(argc) + caller(argc); }
`)
	for _, c := range []struct {
		flags []string
		want  bool
	}{
		{[]string{"-O0"}, true},
		{[]string{"-O2", "-fno-omit-frame-pointer"}, true},
		{[]string{"-O2", "-fomit-frame-pointer"}, false},
	} {
		out := filepath.Join(t.TempDir(), "calls")
		if text, err := exec.Command("gcc", append(c.flags, "-o", out, source)...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		f := open(t, out)
		if got := f.KeepsFramePointers(); got != c.want {
			t.Errorf("%v: %v", c.flags, got)
		}
		funcs, err := f.Funcs()
		if err != nil {
			t.Fatal(err)
		}
		for _, fn := range funcs {
			if (fn.Name == "caller" || fn.Name == "late") && f.KeepsFramePointer(fn) != c.want {
				t.Errorf("%v: %s: not %v", c.flags, fn.Name, c.want)
			}
		}
	}
}
