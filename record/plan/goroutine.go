package plan

import "fmt"

// goidOffset returns the offset of a goroutine's number in the runtime's struct g, in bytes, by the
// version of Go. It is 0 for versions that are not known. The offsets were read from the debug
// information of programs built by each version, on amd64 and arm64. Field syscallbp came with
// 1.23, and gobuf.ret went with 1.25.
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
