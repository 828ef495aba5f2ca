package elffile

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A cgo program has C functions ahead of Go's text.
const goSource = `package main

import "fmt"

%s

type stack[T any] struct{ list []T }

//go:noinline
func (s *stack[T]) push(v T) { s.list = append(s.list, v) }

//go:noinline
func work(n int) (sum int) {
	var s stack[int]
	for i := range n {
		func() { s.push(i) }()
	}
	for _, v := range s.list {
		sum += v
	}
	return sum
}

func main() { fmt.Println(work(10)%s) }
`

// buildGo builds a program twice: as it is, and with the flags that leave symbols and DWARF out.
func buildGo(t testing.TB, cgo bool, flags ...string) (full, bare string) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs go")
	}
	preamble, use := "", ""
	env := append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if cgo {
		if _, err := exec.LookPath("gcc"); err != nil {
			t.Skip("needs gcc")
		}
		preamble = "/*\nstatic int helper(int x) { return x * 3; }\n__attribute__((noinline)) int outer(int x) { return helper(x) + 1; }\n*/\nimport \"C\""
		use = ", C.outer(4)"
		env = append(env, "CGO_ENABLED=1")
	}
	dir := t.TempDir()
	source := strings.Replace(strings.Replace(goSource, "%s", preamble, 1), "%s", use, 1)
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	full, bare = filepath.Join(dir, "full"), filepath.Join(dir, "bare")
	for _, args := range [][]string{{"-o", full}, {"-o", bare, "-ldflags=-s -w"}} {
		cmd := exec.Command("go", append(append(append([]string{"build"}, args...), flags...), "main.go")...)
		cmd.Dir, cmd.Env = dir, env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	return full, bare
}

// The names, addresses and lines of a program built without symbols are those of the same program with them.
func TestGoWithoutSymbols(t *testing.T) {
	for _, c := range []struct {
		name  string
		cgo   bool
		strip bool
		flags []string
	}{
		{name: "static"},
		{name: "strip", strip: true},
		{name: "pie", flags: []string{"-buildmode=pie"}},
		{name: "cgo", cgo: true},
		{name: "cgo pie", cgo: true, flags: []string{"-buildmode=pie"}},
		{name: "cgo strip", cgo: true, strip: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			fullPath, barePath := buildGo(t, c.cgo, c.flags...)
			if c.strip {
				if _, err := exec.LookPath("strip"); err != nil {
					t.Skip("needs strip")
				}
				if out, err := exec.Command("strip", "-o", barePath, fullPath).CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			full, bare := open(t, fullPath), open(t, barePath)
			if !bare.Stripped() {
				t.Fatal("not stripped")
			}
			table, err := bare.goTable()
			if err != nil || table == nil {
				t.Fatal(err)
			}
			inTable := map[Addr]bool{}
			for _, fn := range table.funcs() {
				inTable[Addr(table.text+fn.offset)] = true
			}
			// Strip keeps the addresses; the linker without -s lays out the same, unless it is the C linker's turn.
			sameLayout := c.strip || !c.cgo
			funcs, err := bare.Funcs()
			if err != nil {
				t.Fatal(err)
			}
			want, err := full.Funcs()
			if err != nil {
				t.Fatal(err)
			}
			byName := map[string][]Func{}
			for _, fn := range want {
				for _, name := range append(fn.Aliases, fn.Name) {
					name = strings.TrimSuffix(name, ".abi0") // only the symbol says so
					byName[name] = append(byName[name], fn)
				}
			}
			lines, err := bare.Lines()
			if err != nil {
				t.Fatal(err)
			}
			trueLines, err := full.Lines()
			if err != nil {
				t.Fatal(err)
			}
			seen, wrongLines, checkedLines := 0, 0, 0
			for _, fn := range funcs {
				if fn.Recovered || !inTable[fn.Addr] {
					continue
				}
				seen++
				twins := byName[fn.Name]
				var twin *Func
				for i := range twins {
					if !sameLayout || twins[i].Addr == fn.Addr {
						twin = &twins[i]
					}
				}
				if twin == nil {
					if !strings.Contains(fn.Name, "[...]") && !strings.Contains(fn.Name, "·") { // written otherwise in a symbol
						t.Errorf("%s at %#x is not among the symbols", fn.Name, fn.Addr)
					}
					continue
				}
				if len(twins) > 1 && !sameLayout { // a function and its wrapper for assembly
					continue
				}
				file, line, ok := lines.Func(fn.Addr)
				trueFile, trueLine, trueOK := trueLines.Func(twin.Addr)
				if ok && trueOK {
					checkedLines++
					if line != trueLine || file != trueFile {
						wrongLines++
						t.Logf("%s: %s:%d, DWARF says %s:%d", fn.Name, file, line, trueFile, trueLine)
					}
				}
			}
			missing := 0
			if sameLayout {
				got := map[Addr]bool{}
				for _, fn := range funcs {
					got[fn.Addr] = true
				}
				for _, fn := range want {
					if !got[fn.Addr] && !startup(fn.Name) {
						missing++
						t.Logf("%s is missing", fn.Name)
					}
				}
			}
			t.Logf("%d functions in the table of %d, %d lines compared, %d other, %d missing", seen, len(want), checkedLines, wrongLines, missing)
			if seen < 1000 || missing*100 > len(want) || checkedLines < seen/2 || wrongLines*100 > checkedLines {
				t.Error("too few agree")
			}
			for _, name := range []string{"main.work", "main.main", "runtime.mallocgc"} {
				if fn := find(t, bare, name)[0]; sameLayout && fn.Addr != find(t, full, name)[0].Addr {
					t.Errorf("%+v", fn)
				}
			}
			if c.cgo && c.strip { // C functions are recovered beside those of Go
				fn := find(t, full, "outer")[0]
				if got, ok := bare.FuncAt(fn.Addr); !ok || !got.Recovered || got.Addr != fn.Addr {
					t.Errorf("outer is %+v", got)
				}
			}
		})
	}
}

// Damage in the table makes neither a panic nor more functions than it has room for.
func TestDamagedGoTable(t *testing.T) {
	_, bare := buildGo(t, false)
	f := open(t, bare)
	s := f.elf.Section(".gopclntab")
	data, err := f.sectionData(s, maxPclntab)
	if err != nil {
		t.Fatal(err)
	}
	for i := range pclnHeader {
		for _, v := range []byte{0, 1, 0x7f, 0xff} {
			damaged := append([]byte(nil), data...)
			damaged[i] = v
			if table, err := parsePclntab(damaged); err == nil {
				table.funcs()
			}
		}
	}
	for n := range 200 {
		if table, err := parsePclntab(data[:n]); err == nil {
			table.funcs()
		}
	}
}
