package plan

import (
	"fmt"
	"strings"
)

// goidOffset returns where a goroutine's number lies in the runtime's struct g, by the
// version of Go, in bytes; 0 for versions that are not known. Read from the debug information of
// programs built by each, on amd64 and arm64; field syscallbp came with 1.23,
// gobuf.ret went with 1.25.
func goidOffset(version string) uint16 {
	var minor int
	if _, err := fmt.Sscanf(version, "go1.%d", &minor); err != nil {
		return 0
	}
	switch {
	case minor >= 20 && minor <= 22:
		return 152
	case minor == 23 || minor == 24:
		return 160
	case minor == 25 || minor == 26:
		return 152
	}
	return 0
}

// isOldABI reports whether a Go symbol is of assembly with the old calling
// convention, in which no register holds the goroutine.
func isOldABI(symbol string) bool { return strings.HasSuffix(symbol, ".abi0") }
