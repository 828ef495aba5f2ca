//go:build linux

package calls

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

// TestEnumerations: values of enumerations are shown by name, and conditions keep exactly the calls
// that they name, for each size and sign.
func TestEnumerations(t *testing.T) {
	harness.NeedKernel(t)
	const all = "BLACK GREY MIDDLE HALF WHITE LOW MINUS ZERO BYTE WORD HIGH 5 -5"
	conditions := []struct {
		color, level string // of the unsigned and the signed ones; N stands for their bits
		keeps        string // the constants, without their bits
	}{
		{"", "", all},
		{`c == "WHITEN"`, `c == "MINUSN"`, "WHITE MINUS"},
		{`c != "WHITEN"`, `c != "MINUSN"`, strings.NewReplacer("WHITE ", "", "MINUS ", "").Replace(all)},
		{`ret == "HALFN"`, `ret == "LOWN"`, "HALF LOW"},
		{`c == "BLACKN" || ret == "WHITEN"`, `c == "HIGHN" || ret == "MINUSN"`, "BLACK WHITE HIGH MINUS"},
		{"c > 127", "c < 0", "GREY MIDDLE HALF WHITE LOW MINUS -5"},
		{"c < 128 && c != 0", "c == -1 || ret == -5", "5 MINUS -5"},
	}
	for _, compiler := range []string{"gcc -O0", "gcc -O2 -fshort-enums", "g++ -O0 -gdwarf-4", "g++ -O2", "clang-19 -O2 -fshort-enums", "clang++-19 -O0"} {
		t.Run(compiler, func(t *testing.T) {
			t.Parallel()
			program := filepath.Join(t.TempDir(), "enumerations")
			harness.Run(t, append(strings.Fields(compiler), "-g", "-w", "-o", program, harness.Testdata(t, "targets/enumerations.c"))...)
			for _, c := range conditions {
				got, _, stdout := harness.RecordFlow(t, enumerationFlags(c.color, c.level), program)
				var want []string
				for _, line := range harness.Lines(stdout) {
					_, name, _ := strings.Cut(line, "(")
					name, _, _ = strings.Cut(name, ")")
					if name != "5" && name != "-5" {
						name = strings.TrimRight(name, "0123456789")
					}
					if strings.Contains(" "+c.keeps+" ", " "+name+" ") {
						want = append(want, line)
					}
				}
				if len(want) == 0 {
					t.Fatalf("%s: keeps nothing of %q", c.color, stdout)
				}
				harness.WantLines(t, got, want)
			}
		})
	}
}

// enumerationFlags returns a probe for each function of testdata/targets/enumerations.c.
func enumerationFlags(color, level string) (flags []string) {
	for name, condition := range map[string]string{"color": color, "level": level} {
		for _, bits := range []string{"8", "16", "32", "64"} {
			probe := fmt.Sprintf("%s%s_in(c) -> ...", name, bits)
			if condition != "" {
				probe += " if " + strings.ReplaceAll(condition, "N\"", bits+"\"")
			}
			flags = append(flags, "-e", probe)
		}
	}
	return flags
}
