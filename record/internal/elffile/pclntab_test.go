package elffile

import (
	"os/exec"
	"strings"
	"testing"

	"utrace/record/internal/abi"
	"utrace/record/internal/elftest"
)

// A program built without symbols has the same names, addresses and lines as with them.
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
			fullPath, barePath := elftest.BuildGo(t, c.cgo, c.flags...)
			if c.strip {
				if _, err := exec.LookPath("strip"); err != nil {
					t.Skip("needs strip")
				}
				if out, err := exec.Command("strip", "-o", barePath, fullPath).CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			// Strip keeps the addresses. The linker without -s has the same layout, unless the C
			// linker does the work.
			sameLayout := c.strip || !c.cgo
			full, bare := open(t, fullPath), open(t, barePath)
			compareGoFuncs(t, full, bare, sameLayout)
			for _, name := range []string{"main.work", "main.main", "runtime.mallocgc"} {
				if fn := find(t, bare, name)[0]; sameLayout && fn.Addr != find(t, full, name)[0].Addr {
					t.Errorf("%+v", fn)
				}
			}
			if c.cgo && c.strip { // C functions are recovered in addition to Go's
				fn := find(t, full, "outer")[0]
				if got, ok := bare.FuncAt(fn.Addr); !ok || !got.Recovered || got.Addr != fn.Addr {
					t.Errorf("outer is %+v", got)
				}
			}
		})
	}
}

// A damaged table causes neither a panic nor more functions than it has room for.
func TestDamagedGoTable(t *testing.T) {
	_, bare := elftest.BuildGo(t, false)
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

// compareGoFuncs compares the functions of a program without symbols with the functions of the same
// program with symbols. sameLayout is set if both have the same addresses.
func compareGoFuncs(t *testing.T, full, bare *File, sameLayout bool) {
	t.Helper()
	if !bare.Stripped() {
		t.Fatal("not stripped")
	}
	table, err := bare.goTable()
	if err != nil || table == nil {
		t.Fatal(err)
	}
	inTable := map[abi.Addr]bool{}
	for _, fn := range table.funcs() {
		inTable[abi.Addr(table.text+fn.offset)] = true
	}
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
		missing = countMissing(t, funcs, want)
	}
	t.Logf("%d functions in the table of %d, %d lines compared, %d other, %d missing", seen, len(want), checkedLines, wrongLines, missing)
	if seen < 1000 || missing*100 > len(want) || checkedLines < seen/2 || wrongLines*100 > checkedLines {
		t.Error("too few agree")
	}
}

// countMissing counts the functions of want, except start-up code, at whose address funcs has none.
func countMissing(t *testing.T, funcs, want []Func) (missing int) {
	t.Helper()
	got := map[abi.Addr]bool{}
	for _, fn := range funcs {
		got[fn.Addr] = true
	}
	for _, fn := range want {
		if !got[fn.Addr] && !startup(fn.Name) {
			missing++
			t.Logf("%s is missing", fn.Name)
		}
	}
	return missing
}
