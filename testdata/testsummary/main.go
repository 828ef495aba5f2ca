// Command testsummary runs go test and says at the end how many tests passed, failed and were
// skipped, and why each was skipped. Before that it prints what go test prints without -v: a line for
// each package, and the output of tests that failed.
//
//	testsummary 'go test ARG...' ['go test ARG...']...
//
// Each argument is a command, its words separated by white space. The commands run one after the
// other, whatever becomes of those before. The exit status is 0 if all of them succeed.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

func main() {
	began := time.Now()
	s := newSummary(os.Stdout)
	succeeded := true
	for _, command := range os.Args[1:] {
		if err := s.run(command); err != nil {
			fmt.Fprintf(os.Stderr, "%v: %s\n", err, strings.Join(strings.Fields(command), " "))
			succeeded = false
		}
	}
	s.write(time.Since(began))
	if !succeeded {
		os.Exit(1)
	}
}

// run runs a command, go test with arguments, and adds its events to the summary. It returns an error
// if the command fails, for whatever reason.
func (s *summary) run(command string) error {
	words := strings.Fields(command)
	if len(words) < 2 || words[1] != "test" {
		return errors.New("not go test")
	}
	cmd := exec.Command(words[0], slices.Insert(words[1:], 1, "-json")...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := s.read(out)
	if err := cmd.Wait(); err != nil {
		return err
	}
	return readErr
}

// read adds the events of a run of go test. Lines that are no events are printed as they are.
func (s *summary) read(events io.Reader) error {
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			s.add(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
