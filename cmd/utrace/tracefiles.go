package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"utrace/format/packed"
)

// traceArgs refuses a command line without a trace.
func traceArgs(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usageError{errors.New("no trace given: want a file that utrace record has written as the last argument")}
	}
	return nil
}

// oneOfEach refuses a trace that is given twice: its calls would count twice. Files that cannot be
// read are left to the reader.
func oneOfEach(paths []string) error {
	var before []os.FileInfo
	var names []string
	streams := 0
	for _, path := range paths {
		if path == packed.Stdin {
			if streams++; streams > 1 {
				return usageError{fmt.Errorf("%s is given twice: standard input can only be one trace", path)}
			}
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		for i, other := range before {
			if os.SameFile(info, other) {
				return usageError{fmt.Errorf("%s and %s are the same file: its calls would count twice", names[i], path)}
			}
		}
		before, names = append(before, info), append(names, path)
	}
	return nil
}

// notATrace refuses to write the file of a flag over one of the traces.
func notATrace(flag, path string, traces []string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	for _, trace := range traces {
		if trace == packed.Stdin {
			continue
		}
		if other, err := os.Stat(trace); err == nil && os.SameFile(info, other) {
			return usageError{fmt.Errorf("--%s %s: this is one of the traces", flag, path)}
		}
	}
	return nil
}
