package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
)

// event is a line of go test -json: see "go doc test2json" and "go help buildjson".
type event struct {
	Action  string
	Package string
	Test    string // with its subtests' names; empty for the package itself
	Output  string
}

// test is a test of a package. The zero value has no result yet.
type test struct {
	result    string // the last Action: pass, fail or skip; empty until it ends
	output    []string
	hasFailed bool // one of its subtests has
	isParent  bool
}

// id names a test; Test is empty for the package itself.
type id struct{ Package, Test string }

// skip is a reason, and the tests that were skipped for it.
type skip struct {
	reason string
	tests  []string
}

// summary prints what happens, and remembers what is said at the end. Of tests with subtests only the
// subtests count, unless the test itself failed.
type summary struct {
	out     io.Writer
	running map[id]*test // tests and packages that have not ended

	passed  int
	failed  []string
	skipped []skip
}

func newSummary(out io.Writer) *summary { return &summary{out: out, running: map[id]*test{}} }

// add takes a line of go test -json.
func (s *summary) add(line string) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		io.WriteString(s.out, line)
		return
	}
	switch e.Action {
	case "build-output":
		io.WriteString(s.out, e.Output)
	case "run":
		s.at(e)
		if parent := s.parent(e); parent != nil {
			parent.isParent = true
		}
	case "output":
		t := s.at(e)
		t.output = append(t.output, e.Output)
	case "pass", "fail", "skip":
		t := s.at(e)
		t.result = e.Action
		if e.Test == "" {
			s.endPackage(e.Package, t)
		} else {
			s.endTest(e, t)
		}
		delete(s.running, id{e.Package, e.Test})
	}
}

// at returns the test, or package, of an event.
func (s *summary) at(e event) *test {
	key := id{e.Package, e.Test}
	if s.running[key] == nil {
		s.running[key] = &test{}
	}
	return s.running[key]
}

// parent returns the running test that has started the subtest of an event, or nil. A name given to
// t.Run may have slashes of its own.
func (s *summary) parent(e event) *test {
	name := e.Test
	for i := strings.LastIndexByte(name, '/'); i > 0; i = strings.LastIndexByte(name, '/') {
		name = name[:i]
		if t := s.running[id{e.Package, name}]; t != nil {
			return t
		}
	}
	return nil
}

// endTest counts a test that has ended, and prints its output if it failed.
func (s *summary) endTest(e event, t *test) {
	switch {
	case t.result == "fail":
		s.writeFailure(t.output)
		if !t.hasFailed {
			s.failed = append(s.failed, e.Package+" "+e.Test)
		}
		if parent := s.parent(e); parent != nil {
			parent.hasFailed = true
		}
		s.at(event{Package: e.Package}).hasFailed = true
	case t.result == "skip":
		s.addSkip(reason(t.output), e.Test)
	case !t.isParent:
		s.passed++
	}
}

// endPackage prints the line of a package, and all that it printed itself if it failed. A package can
// fail without a failed test: it is not built, or its TestMain fails, or a test ends the process.
func (s *summary) endPackage(name string, t *test) {
	for key, open := range s.running { // the process has ended before them
		if key.Package == name && key.Test != "" {
			s.writeFailure(open.output)
			s.failed = append(s.failed, name+" "+key.Test+" (not finished)")
			t.hasFailed = true
			delete(s.running, key)
		}
	}
	if t.result == "fail" && !t.hasFailed {
		s.failed = append(s.failed, name)
	}
	for _, line := range t.output {
		if t.result == "fail" || strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "? ") {
			io.WriteString(s.out, line)
		}
	}
}

// progress are lines of -v that go test does not print without it.
var progress = regexp.MustCompile(`^=== (RUN|PAUSE|CONT|NAME) `)

// verdict is the line that ends the output of a test with -v, and begins it without.
var verdict = regexp.MustCompile(`^ *--- (PASS|FAIL|SKIP): `)

// writeFailure prints the output of a test, its verdict first.
func (s *summary) writeFailure(output []string) {
	var first, rest strings.Builder
	for _, line := range output {
		switch {
		case progress.MatchString(line):
		case verdict.MatchString(line):
			first.WriteString(line)
		default:
			rest.WriteString(line)
		}
	}
	io.WriteString(s.out, first.String()+rest.String())
}

// place is where in a source t.Skip was called. Further lines of the text are indented more.
var place = regexp.MustCompile(`^ {4}[^ :]+\.go:\d+: `)

// reason returns the first line of what a skipped test says.
func reason(output []string) string {
	last := "no reason given"
	for _, line := range output {
		if at := place.FindString(line); at != "" {
			last = strings.TrimSpace(line[len(at):]) // t.Log may come before t.Skip
		}
	}
	return last
}

func (s *summary) addSkip(reason, test string) {
	i := slices.IndexFunc(s.skipped, func(k skip) bool { return k.reason == reason })
	if i < 0 {
		s.skipped = append(s.skipped, skip{reason: reason})
		i = len(s.skipped) - 1
	}
	s.skipped[i].tests = append(s.skipped[i].tests, test)
}

// write prints the reasons for skipping, the most frequent first, the tests that failed, and the
// numbers.
func (s *summary) write(took time.Duration) {
	slices.SortStableFunc(s.skipped, func(a, b skip) int { return cmp.Compare(len(b.tests), len(a.tests)) })
	skipped := 0
	for _, k := range s.skipped {
		skipped += len(k.tests)
		fmt.Fprintf(s.out, "skipped %d: %s (%s)\n", len(k.tests), k.reason, abridged(k.tests))
	}
	for _, name := range s.failed {
		fmt.Fprintf(s.out, "failed: %s\n", name)
	}
	fmt.Fprintf(s.out, "%d passed, %d failed, %d skipped, in %v\n", s.passed, len(s.failed), skipped, took.Round(time.Second))
}

// abridged lists a few of the names.
func abridged(names []string) string {
	const most = 4
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s, and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
