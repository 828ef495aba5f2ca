//go:build !linux

package record

import (
	"errors"

	"utrace/record/internal/target"
)

// errNoProcesses is returned where List is asked for processes on a system that has no /proc. Files can be listed
// everywhere.
var errNoProcesses = errors.New("processes can be listed on Linux only")

type fileKey struct{ dev, ino uint64 }

func mappedKey(m target.Mapping, _ string) fileKey { return fileKey{m.Dev, m.Inode} }
func otherRoot(int) string                         { return "" }
func noProgram(int) error                          { return errNoProcesses }
