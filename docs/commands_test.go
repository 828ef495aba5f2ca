//go:build linux

package docs_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// update has TestCommands write what commands print today into the pages, where it differs from
// what they show.
var update = flag.Bool("update", false, "paste the output of commands into the pages where it has changed")

// TestCommands runs the commands of every console block, in a directory of its own with the traces
// of testdata and the programs that the block names, and compares what they print with what the
// page shows.
//
// A line of "…" stands for any lines, and "…" at the end of a line for its rest. Where the output
// varies (a block with sudo, or <!-- test: varies -->) each line shown must be printed, numbers and
// marks apart, in any order. Further directives above a block:
//
//	skip, WHY     it cannot run here
//	needs PATH    it is skipped where there is no such file
//	starts NAME   the program runs meanwhile, in the background
//	makes FILE    it also writes FILE of docs, byte for byte
func TestCommands(t *testing.T) {
	lab := newLab(t)
	for _, p := range readPages(t) {
		t.Run(strings.ReplaceAll(filepath.Join("docs", p.path), "/", "-"), func(t *testing.T) {
			list, err := p.blocks()
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range slices.Backward(list) { // so that -update moves no block before it has run
				if b.language == "console" {
					t.Run(fmt.Sprintf("line-%d", b.first), func(t *testing.T) { lab.run(t, &p, b) })
				}
			}
		})
	}
}

// programs are the programs that commands record: of testdata/targets, with the flags they are
// built with.
var programs = map[string][]string{
	"demo":       {"demo.c", "-O1", "-g"},
	"waits":      {"waits.c", "-O1", "-g"},
	"stages":     {"stages.c", "-O1", "-g", "-fno-omit-frame-pointer"},
	"bursts":     {"bursts.c", "-O1", "-g"},
	"spans":      {"spans.c", "-O1", "-g"},
	"clockwork":  {"ticks.c", "-O1", "-g"},
	"simplehttp": {"provider.c", "-O1", "-g", "-ldl"},
}

// A lab has what blocks need to run.
type lab struct {
	bin       string // in $PATH: utrace, and a sudo that does nothing
	programs  string // those built so far
	cannotRun string // why nothing can be recorded here, "" if it can
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{bin: t.TempDir(), programs: t.TempDir()}
	build := exec.Command("go", "build", "-o", filepath.Join(l.bin, "utrace"), "../cmd/utrace")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build utrace: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(l.bin, "sudo"), []byte("#!/bin/sh\nexec \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", l.bin+":"+os.Getenv("PATH"))
	t.Setenv("SUDO_UID", "") // else commands would be started as that user
	if os.Geteuid() != 0 {
		l.cannotRun = "recording needs root"
	} else if out, err := exec.Command(filepath.Join(l.bin, "utrace"), "doctor").Output(); err != nil {
		l.cannotRun = "nothing can be recorded here: " + regexp.MustCompile(`(?m)^FAIL.*`).FindString(string(out))
	}
	return l
}

// run runs the commands of a block.
func (l *lab) run(t *testing.T, p *page, b block) {
	if why, ok := b.directives["skip"]; ok {
		t.Skip(why)
	}
	for _, path := range strings.Fields(b.directives["needs"]) {
		if _, err := os.Stat(path); err != nil {
			t.Skipf("needs %s", path)
		}
	}
	text := strings.Join(p.lines[b.first:b.end], "\n")
	_, varies := b.directives["varies"]
	if strings.Contains(text, "sudo utrace ") {
		varies = true
		if l.cannotRun != "" {
			t.Skip(l.cannotRun)
		}
	}
	dir := t.TempDir()
	l.furnish(t, dir, text+" ./"+b.directives["starts"])
	if args := strings.Fields(b.directives["starts"]); len(args) > 0 {
		cmd := exec.Command("./"+args[0], args[1:]...)
		cmd.Dir = dir
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Wait()
		defer cmd.Process.Kill()
		time.Sleep(300 * time.Millisecond) // its beginning is not what the block is about
	}

	list, err := p.commands(b)
	if err != nil {
		t.Fatal(err)
	}
	var shown [][]string // what the page is to show below each command
	changed := false
	for _, c := range list {
		got, err := shell(dir, c.text)
		if err != nil {
			t.Fatalf("$ %s\n%s%v", c.text, strings.Join(got, "\n"), err)
		}
		want := p.lines[c.first:c.end]
		diff := ""
		switch {
		case len(want) == 0:
		case varies:
			diff = missing(want, got)
		default:
			diff = mismatch(want, got)
		}
		if diff != "" {
			t.Errorf("$ %s\n%s", c.text, diff)
			if slices.ContainsFunc(want, func(line string) bool { return strings.HasSuffix(line, "…") }) {
				t.Log("-update leaves it as it is: what … stands for is for a person to say")
			} else {
				changed, want = true, got
			}
		}
		shown = append(shown, want)
	}
	if *update && changed {
		p.paste(t, list, shown)
	}
	if name := b.directives["makes"]; name != "" {
		checkFile(t, filepath.Join(dir, filepath.Base(name)), name)
	}
}

// furnish puts the traces of testdata into a directory, and those programs that a text names.
func (l *lab) furnish(t *testing.T, dir, text string) {
	t.Helper()
	traces, err := filepath.Glob("testdata/*.arrow")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range traces {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, build := range programs {
		if !regexp.MustCompile(`\./` + name + `\b`).MatchString(text) {
			continue
		}
		path := filepath.Join(l.programs, name)
		if _, err := os.Stat(path); err != nil {
			args := append([]string{"-w", "-o", path, "../testdata/targets/" + build[0], "-lpthread"}, build[1:]...)
			if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
				t.Skipf("%s cannot be built: %v: %.200s", build[0], err, out)
			}
		}
		if err := os.Link(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// shell runs a command in a directory and returns the lines that it prints.
func shell(dir, text string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "bash", "-c", text)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines, err
}

// mismatch says where lines differ from those shown, "" if they are the same.
func mismatch(want, got []string) string {
	const any = "…"
	at, floating := 0, false // floating: behind any lines
	for i := 0; i < len(want); {
		if strings.TrimSpace(want[i]) == any {
			floating = true
			i++
			continue
		}
		end := i
		for end < len(want) && strings.TrimSpace(want[end]) != any {
			end++
		}
		part := want[i:end]
		for {
			if at+len(part) > len(got) || !floating && !sameLines(part, got[at:at+len(part)]) {
				return fmt.Sprintf("shown:\n%s\nprinted:\n%s", strings.Join(part, "\n"), strings.Join(got[min(at, len(got)):], "\n"))
			}
			if sameLines(part, got[at:at+len(part)]) {
				break
			}
			at++
		}
		at, i, floating = at+len(part), end, false
	}
	if !floating && at < len(got) {
		return "printed and not shown:\n" + strings.Join(got[at:], "\n")
	}
	return ""
}

func sameLines(want, got []string) bool {
	return slices.EqualFunc(want, got, func(w, g string) bool {
		if start, cut := strings.CutSuffix(w, "…"); cut {
			return strings.HasPrefix(g, start)
		}
		return w == g
	})
}

// missing says which of the lines shown were not printed, numbers and marks apart.
func missing(want, got []string) string {
	printed := map[string]bool{}
	for _, line := range got {
		printed[unvaried(line)] = true
	}
	var absent []string
	for _, line := range want {
		start, cut := strings.CutSuffix(line, "…")
		if start = unvaried(start); printed[start] || start == "" {
			continue
		}
		if !cut || !slices.ContainsFunc(got, func(g string) bool { return strings.HasPrefix(unvaried(g), start) }) {
			absent = append(absent, line)
		}
	}
	if len(absent) == 0 {
		return ""
	}
	return fmt.Sprintf("shown, but not printed:\n%s\nprinted:\n%s", strings.Join(absent, "\n"), strings.Join(got, "\n"))
}

var (
	// Addresses and build IDs, names of temporary files, numbers with their units, and the bars and
	// marks of figures.
	varied = regexp.MustCompile(`0x[0-9a-f]+|\b[0-9a-f]{40}\b|/tmp/[\w./-]+|[-+]?\d[\d,.:TZ-]*( ?([nµum]?s|[KMG]i?B|bytes)\b|%)?|[~*:.=#@|+-]{2,}|~|\*|\|`)
	blanks = regexp.MustCompile(`\s+`)
)

// unvaried returns what of a line is the same in each run.
func unvaried(line string) string {
	return strings.TrimSpace(blanks.ReplaceAllString(varied.ReplaceAllString(line, " # "), " "))
}

// paste replaces the output below commands, and writes the page.
func (p *page) paste(t *testing.T, list []command, shown [][]string) {
	t.Helper()
	for i, c := range slices.Backward(list) {
		p.lines = slices.Replace(p.lines, c.first, c.end, shown[i]...)
	}
	if err := os.WriteFile(p.path, []byte(strings.Join(p.lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// checkFile compares a file that a block has written with the one in docs.
func checkFile(t *testing.T, path, want string) {
	t.Helper()
	made, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile(want)
	if err == nil && bytes.Equal(made, committed) {
		return
	}
	t.Errorf("%s is not what the command above writes (%v)", want, err)
	if *update {
		if err := os.WriteFile(want, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFlags: the manual has every flag of every command.
func TestFlags(t *testing.T) {
	l := newLab(t)
	var manual strings.Builder
	for _, p := range readPages(t) {
		manual.WriteString(strings.Join(p.lines, "\n"))
	}
	for _, name := range []string{"record", "plan", "list", "analyze", "view", "diff", "export", "symbols", "doctor"} {
		help, err := exec.Command(filepath.Join(l.bin, "utrace"), name, "--help").Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^ +(?:-\w, )?(--[\w-]+)`).FindAllStringSubmatch(string(help), -1) {
			if !regexp.MustCompile(m[1] + `\b`).MatchString(manual.String()) {
				t.Errorf("utrace %s %s is not in the manual", name, m[1])
			}
		}
	}
}
