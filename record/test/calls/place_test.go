//go:build linux

package calls

import (
	"bufio"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

// TestSitesAreInstructions: objdump finds an instruction at every site that utrace chooses in
// libraries and programs of this machine, and in a Rust and a Go program.
func TestSitesAreInstructions(t *testing.T) {
	harness.NeedTool(t, "objdump")
	for _, glob := range []string{
		"/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libm.so.6", "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
		"/usr/lib/x86_64-linux-gnu/libcrypto.so.3", "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0", "/usr/bin/python3.11",
		"/usr/lib/postgresql/*/bin/postgres",
	} {
		found, _ := filepath.Glob(glob)
		if len(found) == 0 {
			t.Logf("there is no %s", glob)
		}
		for _, file := range found {
			t.Run(filepath.Base(file), func(t *testing.T) {
				if !strings.HasPrefix(filepath.Base(file), "libc.") {
					harness.Long(t)
				}
				t.Parallel()
				wantInstructions(t, file, 100)
			})
		}
	}
	for name, flags := range map[string][]string{"go": nil, "go stripped": {"-ldflags=-s -w"}} {
		t.Run(name, func(t *testing.T) {
			if flags != nil {
				harness.Long(t)
			}
			t.Parallel()
			wantInstructions(t, harness.GoTarget(t, "web", flags...), 5000)
		})
	}
	t.Run("rust", func(t *testing.T) {
		harness.Long(t)
		t.Parallel()
		harness.NeedTool(t, "rustc")
		for _, opt := range []string{"opt-level=0", "opt-level=3"} {
			bin := filepath.Join(t.TempDir(), "panics")
			harness.Run(t, "rustc", "-g", "-C", opt, "-o", bin, harness.Testdata(t, "targets/panics.rs"))
			wantInstructions(t, bin, 100)
		}
	})
}

// wantInstructions compares the sites in a file with objdump's instructions. There must be at least
// as many sites as given.
func wantInstructions(t *testing.T, file string, atLeast int) {
	t.Helper()
	stdout, stderr, status := harness.Utrace(t, "plan", "-e", file+":*")
	if status != 0 {
		t.Errorf("%s: status %d\n%s", file, status, stderr)
		return
	}
	sites := map[uint64]uint64{} // and the function
	classes := map[string]int{}
	for line := range strings.Lines(stdout) {
		if m := regexp.MustCompile(`^0x([0-9a-f]+) \+(\d+) +(\w+) `).FindStringSubmatch(line); m != nil {
			addr, _ := strconv.ParseUint(m[1], 16, 64)
			off, _ := strconv.ParseUint(m[2], 10, 64)
			sites[addr+off] = addr
			classes[m[3]]++
		}
	}
	if len(sites) < atLeast {
		t.Errorf("%s: only %d sites", file, len(sites))
	}
	cmd := exec.Command("objdump", "-d", "--no-show-raw-insn", file)
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		text, _, ok := strings.Cut(strings.TrimSpace(lines.Text()), ":")
		if addr, err := strconv.ParseUint(text, 16, 64); ok && err == nil {
			delete(sites, addr)
		}
	}
	cmd.Wait()
	// objdump can lose its position in data between functions: ask it again.
	for site, fn := range sites {
		out, err := exec.Command("objdump", "-d", "--no-show-raw-insn", fmt.Sprintf("--start-address=%#x", fn), fmt.Sprintf("--stop-address=%#x", site+16), file).Output()
		if err != nil || !strings.Contains(string(out), fmt.Sprintf(" %x:\t", site)) {
			t.Errorf("%s: no instruction begins at %#x (%v)", file, site, err)
		}
	}
	t.Logf("%s: %v", filepath.Base(file), classes)
}

// wantCountsAlike records a command twice, with the cheapest sites and with the first bytes of
// functions. The calls must be the same.
func wantCountsAlike(t *testing.T, atLeast int, probes []string, command ...string) {
	t.Helper()
	cheap := harness.Record(t, probes, command...)
	naive := harness.Record(t, append([]string{"--place", "entry"}, probes...), command...)
	if got, want := fmt.Sprint(cheap.Calls(), cheap.Incomplete()), fmt.Sprint(naive.Calls(), naive.Incomplete()); got != want || len(naive.Calls()) < atLeast {
		t.Errorf("calls and incomplete calls\n%s, at the entry\n%s", got, want)
	}
	t.Logf("%d events of %d functions", cheap.Trace.Events, len(cheap.Functions))
}

// TestPlacesByCompiler: in programs built by gcc and clang, sites are instructions, and the
// cheapest sites count as the first bytes do.
func TestPlacesByCompiler(t *testing.T) {
	harness.NeedTool(t, "objdump")
	for _, compiler := range []string{"gcc", "clang-19"} {
		for _, opt := range []string{"-O0", "-O1", "-O2", "-O3"} {
			for _, flags := range [][]string{{"-fcf-protection=none", "-fPIE", "-pie"}, {"-fcf-protection=full", "-fPIE", "-pie"}, {"-fcf-protection=full", "-static"}} {
				t.Run(compiler+opt+strings.Join(flags, ""), func(t *testing.T) {
					if opt == "-O1" || opt == "-O3" {
						harness.Long(t)
					}
					t.Parallel()
					harness.NeedTool(t, compiler)
					bin := filepath.Join(t.TempDir(), "calls")
					harness.Run(t, append([]string{compiler, "-g", "-w", opt, "-o", bin, harness.Testdata(t, "targets/calls.c")}, flags...)...)
					wantInstructions(t, bin, 10)
					harness.NeedKernel(t)
					wantCountsAlike(t, 6, []string{"-e", "/^(main|leaf|middle|outer|fib|is_.*|hidden|make_big|compare)$/"}, bin, "20")
				})
			}
		}
	}
}

// TestPlacesInRealPrograms: the cheapest sites count as the first bytes do in programs of the
// distribution.
func TestPlacesInRealPrograms(t *testing.T) {
	harness.NeedKernel(t)
	harness.NeedTool(t, "setarch")
	postgres, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	for _, c := range []struct {
		probes, command []string
		atLeast         int
	}{
		{[]string{"-e", "sqlite3:*"}, []string{"/usr/bin/sqlite3", ":memory:",
			"create table t(a integer primary key, b text); insert into t select value, hex(value) from generate_series(1,100); create index i on t(b); select max(b) from t where b like '%3%';"}, 500},
		{[]string{"-e", "crypto:EVP_*", "-e", "crypto:OSSL_*", "-e", "crypto:CRYPTO_*", "-e", "crypto:*sha256*"}, []string{"/usr/bin/openssl", "dgst", "-sha256", "/proc/self/exe"}, 100},
		{[]string{"-e", "python3.11:PyUnicode_*", "-e", "python3.11:PyDict_*", "-e", "python3.11:PyObject_*"},
			[]string{"/usr/bin/env", "PYTHONHASHSEED=0", "/usr/bin/python3.11", "-S", "-c", "print(sum(len(str(i)) for i in range(500)))"}, 50},
		{[]string{"-e", "postgres:*"}, append(postgres, "--describe-config"), 40},
	} {
		t.Run(filepath.Base(c.command[0]), func(t *testing.T) {
			t.Parallel()
			for _, word := range c.command {
				if strings.HasPrefix(word, "/usr/bin/") {
					harness.NeedTool(t, word)
				}
			}
			if c.command[0] == "--describe-config" {
				t.Skip("needs postgres")
			}
			// With other addresses, hash tables of programs would differ.
			wantCountsAlike(t, c.atLeast, c.probes, append([]string{"setarch", "-R"}, c.command...)...)
		})
	}
}

// TestPlacesCountAlike: the cheapest sites count as the first bytes do, whatever code begins a
// function.
func TestPlacesCountAlike(t *testing.T) {
	harness.NeedKernel(t)
	for _, c := range []struct {
		source string
		arg    string
		flags  []string
	}{
		{"calls.c", "50", []string{"-O2", "-fpatchable-function-entry=1"}},
		{"calls.c", "50", []string{"-O2", "-pg", "-mfentry", "-mnop-mcount", "-fno-pie", "-no-pie"}},
		{"jumps.c", "jump", []string{"-O2", "-fcf-protection"}}, {"jumps.c", "tail", []string{"-O2", "-fcf-protection"}},
		{"coroutines.c", "", []string{"-O2", "-fcf-protection"}}, {"exceptions.cpp", "", []string{"-O2", "-fcf-protection"}},
	} {
		t.Run(c.source+c.arg+strings.Join(c.flags, ""), func(t *testing.T) {
			t.Parallel()
			bin := harness.Target(t, c.source, c.flags...)
			probes := []string{"-e", "/^(main|leaf|middle|outer|fib|is_.*|hidden|make_big|compare|deep.|try_.*|tail_.*|app::.*|body|part|before|yield|resume)$/"}
			wantCountsAlike(t, 4, probes, bin, c.arg)
		})
	}
}

// TestPlacesInLoops: no site is in a loop. The program prints how often its functions are called.
func TestPlacesInLoops(t *testing.T) {
	harness.NeedKernel(t)
	for _, flags := range []string{"-O1", "-O2", "-Os", "-O2 -fcf-protection=none -no-pie"} {
		program := harness.Target(t, "tables.c", strings.Fields(flags)...)
		out, err := exec.Command(program).Output()
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]uint64{}
		words := strings.Fields(string(out))
		for i := 0; i+1 < len(words); i += 2 {
			if want[words[i]], err = strconv.ParseUint(words[i+1], 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		r := harness.Record(t, []string{"-e", "by_*"}, program)
		if got := r.Calls(); !maps.Equal(got, want) || len(want) != 3 {
			t.Errorf("%s: calls %v, want %v", flags, got, want)
		}
	}
}

// TestTextRelocations: an instruction that the dynamic linker changes is left out, since the kernel
// would execute the one of the file. The other functions are counted, and the program behaves as it
// does alone.
func TestTextRelocations(t *testing.T) {
	harness.NeedKernel(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("the functions are assembly for x86-64")
	}
	bin := harness.Target(t, "textrelocs.c", "-O1", "-Wl,-z,notext")
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	stdout, stderr, status := harness.Utrace(t, "record", "-e", "/^(relocated|inside|plain)$/", "-o", trace, "--", bin)
	if status != 0 || stdout != "27450\n" || !strings.Contains(stderr, "such as relocated: the dynamic linker changes this instruction") {
		t.Errorf("status %d, %q\n%s", status, stdout, stderr)
	}
	want := map[string]uint64{"inside": 100, "plain": 100}
	if got := harness.Analyze(t, trace).Calls(); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestCopies: calls that the compiler has inlined, or has led to a copy of the function, are not
// seen. Summary and analysis say so, and the copy can be named as well.
func TestCopies(t *testing.T) {
	harness.NeedKernel(t)
	harness.NeedTool(t, "nm")
	bin := harness.Target(t, "copies.c", "-O2", "-g", "-fipa-cp-clone")
	const clone = "specialized.constprop.0"
	if symbols, err := exec.Command("nm", bin).Output(); err != nil || !strings.Contains(string(symbols), clone) {
		t.Skipf("needs a compiler that makes %s (%v)", clone, err)
	}
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	record := func(probes ...string) (stderr string, calls map[string]uint64) {
		args := []string{"record", "-o", trace}
		for _, p := range probes {
			args = append(args, "-e", p)
		}
		stdout, stderr, status := harness.Utrace(t, append(args, "--", bin)...)
		if status != 0 || stdout != "helper 110, specialized 210\n" {
			t.Fatalf("status %d, %q\n%s", status, stdout, stderr)
		}
		return stderr, harness.Analyze(t, trace).Calls()
	}

	const inlined, copied = "calls of helper that the compiler has inlined are missing: those in direct", "calls of " + clone + " are missing"
	stderr, calls := record("helper", "specialized")
	_, analysis, _ := harness.Utrace(t, "analyze", trace)
	for _, want := range []string{inlined, copied} {
		if !strings.Contains(stderr, want) || !strings.Contains(analysis, want) {
			t.Errorf("no %q in\n%s%s", want, stderr, analysis)
		}
	}
	if want := map[string]uint64{"helper": 10, "specialized": 10}; !maps.Equal(calls, want) {
		t.Errorf("%v, want %v", calls, want)
	}

	stderr, calls = record("specialized", clone, "direct")
	if calls["specialized"]+calls[clone] != 210 || strings.Contains(stderr, "missing") {
		t.Errorf("%v\n%s", calls, stderr)
	}
}
