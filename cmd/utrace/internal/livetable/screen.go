package livetable

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"utrace/analyze/render/terminal"
)

// Screen shows tables. On a terminal each one replaces the one before; otherwise they follow each
// other, with an empty line between.
type Screen struct {
	W    io.Writer
	Size func() (width, height int) // of the terminal; nil: it is none

	mu    sync.Mutex
	shown int  // lines of the table on the terminal
	any   bool // a table was shown
}

// Room returns how many lines of a table fit, 0 if there is no limit.
func (s *Screen) Room() int {
	if s.Size == nil {
		return 0
	}
	_, height := s.Size()
	return max(0, height-1) // the cursor is on the last line
}

// Show shows the lines of a table.
func (s *Screen) Show(lines []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	switch {
	case s.Size == nil && s.any:
		b.WriteString("\n")
	case s.shown > 0:
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", s.shown) // ECMA-48: cursor up, erase to the end
	}
	width := 0
	if s.Size != nil {
		width, _ = s.Size()
	}
	for _, line := range lines {
		if width > 0 {
			line = terminal.Cut(line, width)
		}
		b.WriteString(line + "\n")
	}
	s.any, s.shown = true, 0
	if s.Size != nil {
		s.shown = len(lines)
	}
	_, err := io.WriteString(s.W, b.String())
	return err
}

// Leave leaves the table where it is: something else is going to be written below it.
func (s *Screen) Leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown = 0
}
