//go:build linux

package plan

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"utrace/record/internal/elftest"
	"utrace/record/internal/probe"
)

// parseProbes parses the texts of probes. FIXTURE in a text is replaced by the path of pie.elf.
func parseProbes(t *testing.T, texts ...string) (probes []*probe.Probe) {
	t.Helper()
	for _, text := range texts {
		p, err := probe.Parse(strings.ReplaceAll(text, "FIXTURE", fixturePath(t, "pie.elf")))
		if err != nil {
			t.Fatal(err)
		}
		probes = append(probes, p)
	}
	return probes
}

func fixturePath(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs("../../testdata/elf/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestResolve plans probes in a command, and checks what they select, which ones may name something
// later, and which ones are errors.
func TestResolve(t *testing.T) {
	for _, c := range []struct {
		name     string
		probes   []string
		noFollow bool
		wait     bool

		funcs   []string // planned, of the command
		pending []string // a part of each error in Pending
		is      error    // of New; nil: there is none
		want    string   // in that error
	}{
		{name: "a function", probes: []string{"main"}, funcs: []string{"main"}},
		{name: "one of two", probes: []string{"main", "no_such_function"}, funcs: []string{"main"}, pending: []string{"no such function in "}},
		{name: "a program executed later", probes: []string{"no_such_function"}, wait: true, pending: []string{`probe "no_such_function": no such function in `}},
		{name: "no program later", probes: []string{"no_such_function"}, noFollow: true, is: probe.ErrProbe, want: "no such function in "},
		{name: "a typing error", probes: []string{"mian"}, is: ErrNotYet, want: "(did you mean main?)"},
		{name: "a named file", probes: []string{"FIXTURE:no_such_function"}, is: probe.ErrProbe, want: "no such function in "},
		{name: "no such file", probes: []string{"/no/such/file:main"}, is: probe.ErrProbe, want: "no such file"},
		{name: "no library yet", probes: []string{"nosuchlibrary:f"}, is: ErrNotYet, want: `no library "nosuchlibrary" is mapped`},
		{name: "a path with a colon", probes: []string{"/no/such:file/prog:main"}, is: probe.ErrProbe, want: `is quoted: "/path/to/a:b":FUNC`},
		{name: "a library loaded later", probes: []string{"nosuchlibrary:f"}, wait: true, pending: []string{`no library "nosuchlibrary" is mapped`}},
		{name: "no static probe yet", probes: []string{"usdt:no_such:probe"}, is: ErrNotYet, want: "none of the files that were searched has any"},
		{name: "a static probe loaded later", probes: []string{"usdt:no_such:probe"}, wait: true, pending: []string{"none of the files that were searched has any"}},
		{name: "all excluded", probes: []string{"main", "!main"}, is: ErrNothing, want: "every function is excluded"},
		{name: "all left out", probes: []string{"_start"}, is: ErrNothing, want: "all 1 functions were left out, such as _start: the program's entry point"},
		{name: "nothing to exclude yet", probes: []string{"main", "!no_such_function"}, funcs: []string{"main"}},
		{name: "nothing to exclude", probes: []string{"main", "!no_such_function"}, noFollow: true, is: probe.ErrProbe, want: "no such function in "},
		{name: "a value without debug information", probes: []string{"_init(x)"}, is: probe.ErrProbe, want: "its type and location are not known"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := New(Config{Command: []string{fixturePath(t, "pie.elf")}, Follow: !c.noFollow, Wait: c.wait, Probes: parseProbes(t, c.probes...)})
			if c.is != nil {
				if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %v: %q", err, c.is, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			var funcs []string
			for _, m := range p.Modules {
				for _, fn := range m.Funcs {
					funcs = append(funcs, fn.Name)
				}
			}
			if !slices.Equal(funcs, c.funcs) {
				t.Errorf("functions %q, want %q", funcs, c.funcs)
			}
			if len(p.Pending) != len(c.pending) {
				t.Fatalf("pending %v, want %q", p.Pending, c.pending)
			}
			for i, want := range c.pending {
				if !strings.Contains(p.Pending[i].Error(), want) {
					t.Errorf("pending: %v, want %q", p.Pending[i], want)
				}
			}
		})
	}
}

// TestNotYet checks what is an error if no process has what is named, which programs may execute
// another one that has it, and that Wait makes no difference to what can never appear.
func TestNotYet(t *testing.T) {
	python, err := probe.FindPreset("python")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		config Config
		is     error // nil: the recording waits
	}{
		{"a static probe in the machine", Config{Probes: parseProbes(t, "usdt:no_such:probe")}, ErrNotYet},
		{"a library in the machine", Config{Probes: parseProbes(t, "nosuchlibrary:f")}, ErrNotYet},
		{"a library in the machine, with wait", Config{Probes: parseProbes(t, "nosuchlibrary:f"), Wait: true}, nil},
		{"a preset of a C program", Config{Command: []string{fixturePath(t, "pie.elf")}, Presets: []string{python.Name}, Follow: true}, ErrNotYet},
		{"a function of a command of a shell", Config{Command: []string{"/bin/sh", "-c", "prog"}, Probes: parseProbes(t, "no_such_function"), Follow: true}, nil},
		{"a preset of a command of a shell", Config{Command: []string{"/bin/sh", "-c", "prog"}, Presets: []string{python.Name}, Follow: true}, nil},
		{"a shell alone", Config{Command: []string{"/bin/sh", "-c", "prog"}, Presets: []string{python.Name}}, ErrNotYet},
		{"a process", Config{PIDs: []int{os.Getpid()}, Probes: parseProbes(t, "usdt:no_such:probe"), Follow: true}, ErrNotYet},
		{"a process, with wait", Config{PIDs: []int{os.Getpid()}, Probes: parseProbes(t, "usdt:no_such:probe"), Wait: true}, nil},
		{"a function of a program without another", Config{PIDs: []int{os.Getpid()}, Probes: parseProbes(t, "no_such_function"), Wait: true}, probe.ErrProbe},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := New(c.config)
			if !errors.Is(err, c.is) {
				t.Fatalf("%v, want %v", err, c.is)
			}
			if p == nil {
				return
			}
			defer p.Close()
			if len(p.Modules) > 0 || len(p.Pending) != 1 {
				t.Errorf("%d modules, pending %v", len(p.Modules), p.Pending)
			}
		})
	}
}

// TestNoMatchStripped checks what errors say of the names in stripped files: Go programs keep
// theirs.
func TestNoMatchStripped(t *testing.T) {
	_, goProgram := elftest.BuildGo(t, false)
	for path, want := range map[string]bool{goProgram: false, fixturePath(t, "switch.elf"): true} {
		_, err := New(Config{Probes: parseProbes(t, path+":no_such_function")})
		if err == nil || strings.Contains(err.Error(), "only what it exports has a name") != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestStartupCode checks that "all functions" excludes the compiler's start-up code, which a name
// selects.
func TestStartupCode(t *testing.T) {
	for text, want := range map[string]bool{"FIXTURE:*": true, "FIXTURE:_init": false} {
		p, err := New(Config{Probes: parseProbes(t, text)})
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(p.Startup, "_init"); got != want {
			t.Errorf("%s: start-up code %q", text, p.Startup)
		}
		p.Close()
	}
}

// TestExtend checks that a pending probe is planned once, in the first file that has what it names.
func TestExtend(t *testing.T) {
	p, err := New(Config{
		Command: []string{fixturePath(t, "stripped.elf")}, Follow: true, Wait: true,
		Probes: parseProbes(t, "main", "no_such_function"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if len(p.Modules) > 0 || len(p.Pending) != 2 {
		t.Fatalf("%d modules, pending %v", len(p.Modules), p.Pending)
	}

	sc, err := commandScope(&p.Images, []string{fixturePath(t, "pie.elf")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	added := p.Extend(&p.Images, sc)
	if len(added) != 1 || len(added[0].Funcs) != 1 || added[0].Funcs[0].Name != "main" {
		t.Errorf("added %+v", added)
	}
	if len(p.Pending) != 1 || !strings.Contains(p.Pending[0].Error(), "no_such_function") {
		t.Errorf("pending %v", p.Pending)
	}
	if again := p.Extend(&p.Images, sc); len(again) > 0 {
		t.Errorf("added again: %+v", again)
	}
}

// TestExtendLeftOut checks that a file which is planned again leaves out nothing twice.
func TestExtendLeftOut(t *testing.T) {
	p, err := New(Config{Command: []string{fixturePath(t, "stripped.elf")}, Follow: true, Probes: parseProbes(t, "FIXTURE:_start", "FIXTURE:main", "part")})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	sc, err := commandScope(&p.Images, []string{fixturePath(t, "pie.elf")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.Extend(&p.Images, sc); len(p.LeftOut) != 1 || p.LeftOut[0].Name != "_start" {
		t.Errorf("left out: %+v", p.LeftOut)
	}
}

// TestLateWithDeferredCalls checks that scheduler events cannot be combined with deferred calls.
func TestLateWithDeferredCalls(t *testing.T) {
	probes := parseProbes(t, "FIXTURE:main if duration > 1ms")
	if _, err := New(Config{Probes: probes, Sched: true}); !errors.Is(err, ErrLate) {
		t.Errorf("%v, want ErrLate", err)
	}
	p, err := New(Config{Probes: probes})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if !p.DefersCalls() {
		t.Error("a condition on the duration does not defer calls")
	}
}
