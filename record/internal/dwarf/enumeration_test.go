//go:build linux && amd64

package dwarf_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"utrace/record/internal/dwarf"
	"utrace/record/internal/elftest"
)

// enumeration is an enumeration of the generated programs. Each value is the name of a constant of
// the same number: m1 is -1.
type enumeration struct {
	name   string
	values []string // in decimal
}

func (e enumeration) signed() bool { return strings.HasPrefix(slices.Min(e.values), "-") }

func (e enumeration) constant(value string) string {
	return e.name + "_" + strings.Replace(value, "-", "m", 1)
}

// enumerations returns enumerations of each size and sign, with the constants around the limits of
// each form: 127, 128 and 255 for one byte, and so on.
func enumerations() (list []enumeration) {
	for _, size := range []uint{8, 16, 32, 64} {
		unsigned, signed := enumeration{name: fmt.Sprintf("u%d", size), values: []string{"0"}}, enumeration{name: fmt.Sprintf("i%d", size), values: []string{"0"}}
		for bits := uint(8); bits <= size; bits *= 2 {
			half, all := uint64(1)<<(bits-1), uint64(1)<<bits-1
			unsigned.values = append(unsigned.values, strconv.FormatUint(half-1, 10), strconv.FormatUint(half, 10), strconv.FormatUint(all, 10))
			signed.values = append(signed.values, strconv.FormatUint(half-1, 10), strconv.FormatInt(-int64(half), 10))
			if bits < size {
				signed.values = append(signed.values, strconv.FormatUint(half, 10), strconv.FormatUint(all, 10), strconv.FormatInt(-int64(half)-1, 10))
			}
		}
		signed.values = append(signed.values, "-1")
		list = append(list, unsigned, signed)
	}
	// Each has one constant, and all the same one: GCC writes implicit_const.
	for _, value := range []string{"255", "-1"} {
		for _, letter := range "abcd" {
			list = append(list, enumeration{name: "one" + string(letter) + strings.Trim(value, "-"), values: []string{value}})
		}
	}
	return list
}

// The programs print the same as values.c. With an argument, they print for each enumeration its
// size, whether it is signed, and its constants, as "ENUMERATION NAME NUMBER".

// enumerationsC returns a program of C or C++. In C++ an enumeration is of a fixed type.
func enumerationsC(plusPlus bool) string {
	var types, numbers, calls strings.Builder
	types.WriteString("#include <stdio.h>\n#include <stdint.h>\nvolatile long sink, minus = -1;\n")
	underlying := "(enum %[1]s)" // in C, this is what an enumeration is
	if plusPlus {
		underlying = "(std::underlying_type<%[1]s>::type)"
		types.WriteString("#include <type_traits>\n")
	}
	for _, e := range enumerations() {
		base := ""
		if plusPlus && !strings.HasPrefix(e.name, "one") {
			base = ": " + strings.Replace(e.name, "i", "int", 1) + "_t"
			base = strings.Replace(base, "u", "uint", 1)
		}
		fmt.Fprintf(&types, "enum %s %s {", e.name, base)
		fmt.Fprintf(&numbers, "printf(\"%[1]s size %%d\\n%[1]s signed %%d\\n\", (int)sizeof(enum %[1]s), "+underlying+"minus < 0);\n", e.name)
		call := func(value, shown string) {
			fmt.Fprintf(&calls, "puts(\"t_%[1]s v %[2]s\\nt_%[1]s ret %[2]s\"); t_%[1]s((enum %[1]s)%[3]s);\n", e.name, shown, value)
		}
		for _, v := range e.values {
			number := v + "ull"
			switch {
			case v == "-9223372036854775808":
				number = "-9223372036854775807ll - 1"
			case e.signed():
				number = v + "ll"
			}
			fmt.Fprintf(&types, " %s = %s,", e.constant(v), number)
			fmt.Fprintf(&numbers, "printf(\"%s %s %%lld\\n\", (long long)(enum %[1]s)%[2]s);\n", e.name, e.constant(v))
			call(e.constant(v), e.constant(v))
		}
		call("3", "3") // without a name
		if e.signed() {
			call("-3", "-3")
		}
		fmt.Fprintf(&types, " };\n__attribute__((noinline, noclone)) enum %[1]s t_%[1]s(enum %[1]s v) { sink++; return v; }\n", e.name)
	}
	// An optimiser passes none of these parameters, and writes them as constants.
	types.WriteString("static __attribute__((noinline)) int t_constant(int n, unsigned char c, unsigned u, enum u8 v, short s, const char *text) { sink += n + c + u + v + s; return text[0]; }\n")
	for range 2 {
		calls.WriteString("puts(\"t_constant n 200\\nt_constant c 201\\nt_constant u 4294967295\\nt_constant v u8_255\\nt_constant s -25536\"); sink += t_constant(200, 201, -1, u8_255, -25536, argv[sink < 0]);\n")
	}
	return fmt.Sprintf("%s int main(int argc, char **argv) {\nif (argc > 1) {\n%s} else {\n%s}\nreturn 0; }\n", &types, &numbers, &calls)
}

// enumerationsRust returns a program of Rust.
func enumerationsRust() string {
	var types, numbers, calls strings.Builder
	for i, e := range enumerations() {
		sort, size := e.name[:1], e.name[1:]
		if sort == "o" { // in Rust, one with one constant has no bytes
			continue
		}
		fmt.Fprintf(&types, "#[repr(%s%s)] #[derive(Clone, Copy)] enum e_%s {", sort, size, e.name)
		fmt.Fprintf(&numbers, "println!(\"%[1]s size {}\\n%[1]s signed {}\", std::mem::size_of::<e_%[1]s>(), %[2]d);\n", e.name, strings.Index("ui", sort))
		for _, v := range e.values {
			fmt.Fprintf(&types, " %s = %s,", e.constant(v), v)
			fmt.Fprintf(&numbers, "println!(\"%[1]s %[2]s {}\", e_%[1]s::%[2]s as %[3]s64 as i64);\n", e.name, e.constant(v), sort)
			fmt.Fprintf(&calls, "println!(\"t_%[1]s v %[2]s\\nt_%[1]s ret %[2]s\"); t_%[1]s(black_box(e_%[1]s::%[2]s));\n", e.name, e.constant(v))
		}
		fmt.Fprintf(&types, " }\n#[no_mangle] #[inline(never)] fn t_%[1]s(v: e_%[1]s) -> e_%[1]s { SINK.fetch_add(%d, Ordering::Relaxed); v }\n", e.name, i+1)
	}
	return fmt.Sprintf("use std::hint::black_box;\nuse std::sync::atomic::{AtomicI64, Ordering};\nstatic SINK: AtomicI64 = AtomicI64::new(0);\n%sfn main() { if std::env::args().len() > 1 {\n%s} else {\n%s} }\n", &types, &numbers, &calls)
}

// TestEnumerations compares the constants in the debug information with those that the program
// prints, and the names of fetched values with those that it passes.
func TestEnumerations(t *testing.T) {
	sources := map[string]string{}
	for name, text := range map[string]string{"c": enumerationsC(false), "cc": enumerationsC(true), "rs": enumerationsRust()} {
		sources[name] = filepath.Join(t.TempDir(), "enumerations."+name)
		elftest.WriteFile(t, sources[name], text)
	}
	for _, c := range []struct{ source, command string }{
		{"c", "gcc -w -g -gdwarf-5 -O0"}, {"c", "gcc -w -g -O2"}, {"c", "gcc -w -g -O2 -fshort-enums"}, {"c", "gcc -w -g -gdwarf-4 -fshort-enums -fdebug-types-section"},
		{"c", "gcc -w -gdwarf-5 -gstrict-dwarf"}, {"c", "gcc -w -gdwarf-3 -gstrict-dwarf -O2"}, {"c", "gcc -w -gdwarf-2 -gstrict-dwarf"}, {"c", "gcc -w -gdwarf-2 -gstrict-dwarf -fshort-enums"},
		{"cc", "g++ -w -gdwarf-5 -O0"}, {"cc", "g++ -w -gdwarf-4 -O2"}, {"cc", "g++ -w -gdwarf-2 -gstrict-dwarf"}, {"cc", "g++ -w -g -fshort-enums -fdebug-types-section"},
		{"c", "clang-19 -w -gdwarf-5 -O0"}, {"c", "clang-19 -w -gdwarf-4 -O2"}, {"c", "clang-19 -w -g -O2 -fshort-enums"}, {"c", "clang-19 -w -gdwarf-2 -gstrict-dwarf"},
		{"cc", "clang++-19 -w -gdwarf-5 -O2"}, {"cc", "clang++-19 -w -gdwarf-4 -O0"}, {"cc", "clang++-19 -w -gdwarf-2 -gstrict-dwarf"},
		{"rs", "rustc -g -Awarnings"}, {"rs", "rustc -g -Awarnings -O -Cdwarf-version=5"},
	} {
		t.Run(c.command, func(t *testing.T) {
			path := elftest.Build(t, append(strings.Fields(c.command), sources[c.source])...)
			out, err := exec.Command(path, "numbers").Output()
			if err != nil {
				t.Fatal(err)
			}
			want := parseWanted(string(out))
			if len(want) < 8 {
				t.Fatalf("the program prints %d enumerations", len(want))
			}
			f := open(t, path)
			for name, numbers := range want {
				fn := find(t, f, "t_"+name)[0]
				s, err := f.Signature(fn, fn.Addr)
				if err != nil || len(s.Params) != 1 {
					t.Fatalf("t_%s: %+v, %v", name, s, err)
				}
				compareEnumeration(t, s.Params[0], name, numbers)
			}

			same, differ := compareWithProgram(t, path, false)
			t.Logf("%d values", same)
			for _, d := range differ {
				t.Error(d)
			}
		})
	}
}

func compareEnumeration(t *testing.T, v dwarf.Value, name string, numbers map[string][]string) {
	t.Helper()
	got := map[string][]string{"size": {strconv.Itoa(int(v.At.Size))}, "signed": {"0"}}
	if v.At.Signed {
		got["signed"] = []string{"1"}
	}
	for _, e := range v.Enum {
		got[e.Name] = append(got[e.Name], strconv.FormatInt(e.Value, 10))
	}
	if v.Kind != dwarf.Enum || len(got) != len(numbers) {
		t.Errorf("%s: %s with %d names, want %d", name, v.Kind, len(got), len(numbers))
	}
	for what, want := range numbers {
		if !slices.Equal(got[what], want) {
			t.Errorf("%s: %s is %v, want %v", name, what, got[what], want)
		}
	}
}
