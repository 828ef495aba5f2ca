//go:build man

package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// main writes the manual pages into a directory: go run -tags man ./cmd/utrace DIR.
func main() {
	if err := writePages(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "man:", err)
		os.Exit(1)
	}
}

func writePages(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want a directory, not %q", args)
	}
	if err := os.MkdirAll(args[0], 0o755); err != nil {
		return err
	}

	root := newRootCommand()
	root.InitDefaultVersionFlag()
	all := pages(root)
	for _, p := range all {
		f, err := os.Create(filepath.Join(args[0], p.file()))
		if err != nil {
			return err
		}
		if err := p.write(f, all); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}
