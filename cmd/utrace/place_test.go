//go:build linux

package main

import (
	"bufio"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestSitesAreInstructions: every site chosen in the libraries and programs of
// this machine is where objdump says that an instruction begins.
func TestSitesAreInstructions(t *testing.T) {
	needTool(t, "objdump")
	var files []string
	for _, glob := range []string{
		"/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libm.so.6", "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
		"/usr/lib/x86_64-linux-gnu/libcrypto.so.3", "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0", "/usr/bin/python3.11",
		"/usr/lib/postgresql/*/bin/postgres",
	} {
		found, _ := filepath.Glob(glob)
		files = append(files, found...)
	}
	if len(files) == 0 {
		t.Skip("none of the files is here")
	}
	siteLine := regexp.MustCompile(`^0x([0-9a-f]+) \+(\d+) +(\w+) `)
	for _, file := range files {
		stdout, stderr, status := utrace(t, "plan", "-e", file+":*")
		if status != 0 {
			t.Errorf("%s: status %d\n%s", file, status, stderr)
			continue
		}
		sites := map[uint64]uint64{} // and the function
		classes := map[string]int{}
		for line := range strings.Lines(stdout) {
			if m := siteLine.FindStringSubmatch(line); m != nil {
				addr, _ := strconv.ParseUint(m[1], 16, 64)
				off, _ := strconv.ParseUint(m[2], 10, 64)
				sites[addr+off] = addr
				classes[m[3]]++
			}
		}
		if len(sites) < 100 {
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
		// objdump loses its place in data between functions: ask it once more.
		for site, fn := range sites {
			out, err := exec.Command("objdump", "-d", "--no-show-raw-insn", fmt.Sprintf("--start-address=%#x", fn), fmt.Sprintf("--stop-address=%#x", site+16), file).Output()
			if err != nil || !strings.Contains(string(out), fmt.Sprintf(" %x:\t", site)) {
				t.Errorf("%s: no instruction begins at %#x (%v)", file, site, err)
			}
		}
		t.Logf("%s: %v", file, classes)
	}
}

// TestPlacesCountAlike: the cheapest sites see the calls that the first bytes see.
func TestPlacesCountAlike(t *testing.T) {
	needKernel(t)
	for _, c := range []struct {
		source string
		arg    string
		flags  []string
	}{
		{"calls.c", "50", []string{"-O0", "-fcf-protection"}}, {"calls.c", "50", []string{"-O1", "-fcf-protection"}},
		{"calls.c", "50", []string{"-O2", "-fcf-protection"}}, {"calls.c", "50", []string{"-O3"}},
		{"calls.c", "50", []string{"-O2", "-fpatchable-function-entry=1"}}, {"calls.c", "50", []string{"-O2", "-static"}},
		{"calls.c", "50", []string{"-O2", "-pg", "-mfentry", "-mnop-mcount", "-fno-pie", "-no-pie"}},
		{"jumps.c", "jump", []string{"-O2", "-fcf-protection"}}, {"jumps.c", "tail", []string{"-O2", "-fcf-protection"}},
		{"coroutines.c", "", []string{"-O2", "-fcf-protection"}}, {"exceptions.cpp", "", []string{"-O2", "-fcf-protection"}},
	} {
		t.Run(c.source+c.arg+strings.Join(c.flags, ""), func(t *testing.T) {
			bin := target(t, c.source, c.flags...)
			// In a static program "all functions" are thousands of libc's.
			probes := []string{"-e", "/^(main|leaf|middle|outer|fib|is_.*|hidden|make_big|compare|deep.|try_.*|tail_.*|app::.*|body|part|before|yield|resume)$/"}
			cheap := recordCommand(t, probes, bin, c.arg)
			naive := recordCommand(t, append([]string{"--place", "entry"}, probes...), bin, c.arg)
			if got, want := fmt.Sprint(cheap.calls(), cheap.incomplete()), fmt.Sprint(naive.calls(), naive.incomplete()); got != want || len(naive.calls()) < 4 {
				t.Errorf("calls and incomplete calls\n%s, at the entry\n%s", got, want)
			}
		})
	}
}
