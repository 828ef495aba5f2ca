package render

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"utrace/analyze"
	"utrace/analyze/render/terminal"
)

// flowField is a column of a flow, ahead of the functions.
type flowField struct {
	name  string
	title string                             // as wide as the column
	text  func(b []byte, l *flowLine) []byte // appends the text
}

// flowLine is what the fields of a line are about.
type flowLine struct {
	step    *analyze.Step // its thread and function
	at      time.Duration // its time: of a call in one line when it began
	took    bool          // it has a duration: that of its step
	elapsed time.Duration // since the first line
	delta   time.Duration // since the thread's line before, if there is one
	follows bool          // there is one
}

// flowFields are all fields, with the names, titles and widths of uftrace.
func flowFields() []flowField {
	return []flowField{
		{"duration", " DURATION ", func(b []byte, l *flowLine) []byte {
			if !l.took {
				return b
			}
			return appendAligned(b, l.step.Duration)
		}},
		{"tid", "   TID  ", func(b []byte, l *flowLine) []byte {
			b = append(b, '[')
			from := len(b)
			b = analyze.AppendFlowName(b, l.step.Thread)
			return append(padLeft(b, from, 6), ']')
		}},
		{"time", "     TIMESTAMP    ", func(b []byte, l *flowLine) []byte {
			return fmt.Appendf(b, "%d.%09d", l.at/time.Second, l.at%time.Second)
		}},
		{"delta", " TIMEDELTA", func(b []byte, l *flowLine) []byte {
			if !l.follows {
				return b
			}
			return appendAligned(b, l.delta)
		}},
		{"elapsed", "  ELAPSED ", func(b []byte, l *flowLine) []byte { return appendAligned(b, l.elapsed) }},
		{"addr", "   ADDRESS  ", func(b []byte, l *flowLine) []byte {
			if l.step.Func == nil || l.step.Func.Addr == 0 {
				return b
			}
			return strconv.AppendUint(b, l.step.Func.Addr, 16)
		}},
		{"task", "      TASK NAME", func(b []byte, l *flowLine) []byte { return appendField(b, l.step.Thread.Comm) }},
		{"module", "     MODULE NAME", func(b []byte, l *flowLine) []byte {
			if l.step.Module == "" {
				return b
			}
			return appendField(b, filepath.Base(l.step.Module))
		}},
	}
}

// Fields are the columns of a flow, ahead of the functions.
type Fields struct{ list []flowField }

// DefaultFields are the duration and the thread.
func DefaultFields() Fields { return Fields{list: flowFields()[:2]} }

// ParseFields reads names of fields with commas between them, as uftrace replay -f does: duration,
// tid, time, delta, elapsed, addr, task or module. A + ahead adds fields to the default ones; none
// is no field.
func ParseFields(text string) (Fields, error) {
	var f Fields
	if text == "none" {
		return f, nil
	}
	rest, adds := strings.CutPrefix(text, "+")
	if adds {
		f = DefaultFields()
	}
	var names []string
	for _, field := range flowFields() {
		names = append(names, field.name)
	}
	for name := range strings.SplitSeq(rest, ",") {
		i := slices.Index(names, name)
		if i < 0 {
			return f, fmt.Errorf("there is no field %q: want some of %s, or none", name, strings.Join(names, ","))
		}
		f.list = append(f.list, flowFields()[i])
	}
	return f, nil
}

// Title is the line above a flow; "" without a field.
func (f Fields) Title() string {
	if len(f.list) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteByte('#')
	for i, field := range f.list {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(field.title)
	}
	return b.String() + "   FUNCTION"
}

// titleLine is the title as a line, or nothing.
func (f Fields) titleLine() string {
	if title := f.Title(); title != "" {
		return title + "\n"
	}
	return ""
}

// before appends the part of a line ahead of the function.
func (f Fields) before(b []byte, l *flowLine) []byte {
	if len(f.list) == 0 {
		return b
	}
	for _, field := range f.list {
		b = append(b, ' ')
		from := len(b)
		b = padLeft(field.text(b, l), from, len(field.title))
	}
	return append(b, " | "...)
}

// maxField is the greatest width of a field: no number or time exceeds it.
const maxField = 16

// appendField appends a name, shortened to maxField.
func appendField(b []byte, text string) []byte { return append(b, terminal.Shorten(text, maxField)...) }

// padLeft inserts spaces at from, so that the text from there on has a width.
func padLeft(b []byte, from, width int) []byte {
	n := width - terminal.Width(b[from:])
	if n <= 0 {
		return b
	}
	end := len(b)
	for range n {
		b = append(b, ' ')
	}
	copy(b[from+n:], b[from:end])
	for i := range n {
		b[from+i] = ' '
	}
	return b
}
