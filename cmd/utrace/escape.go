package main

import (
	"fmt"
	"strings"
)

// escape makes text of a traced file safe for a terminal.
func escape(text string) string {
	if strings.ContainsFunc(text, isControl) {
		return fmt.Sprintf("%q", text)
	}
	return text
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd || r >= 0x80 && r < 0xa0 }
