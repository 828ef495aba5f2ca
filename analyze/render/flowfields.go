package render

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"utrace/analyze"
	"utrace/analyze/render/terminal"
)

// flowField is a column of a flow, ahead of the functions.
type flowField struct {
	name  string
	title string // as wide as the column
	text  func(l *flowLine) string
}

// flowLine is what the fields of a line are about.
type flowLine struct {
	step     *analyze.Step // its thread and function
	at       time.Duration // its time: of a call in one line when it began
	duration string
	elapsed  time.Duration // since the first line
	delta    time.Duration // since the thread's line before, if there is one
	follows  bool          // there is one
}

// flowFields are all fields, with the names, titles and widths of uftrace.
func flowFields() []flowField {
	return []flowField{
		{"duration", " DURATION ", func(l *flowLine) string { return l.duration }},
		{"tid", "   TID  ", func(l *flowLine) string { return "[" + terminal.PadLeft(analyze.FlowName(l.step.Thread), 6) + "]" }},
		{"time", "     TIMESTAMP    ", func(l *flowLine) string { return fmt.Sprintf("%d.%09d", l.at/time.Second, l.at%time.Second) }},
		{"delta", " TIMEDELTA", func(l *flowLine) string {
			if !l.follows {
				return ""
			}
			return aligned(l.delta)
		}},
		{"elapsed", "  ELAPSED ", func(l *flowLine) string { return aligned(l.elapsed) }},
		{"addr", "   ADDRESS  ", func(l *flowLine) string {
			if l.step.Func == nil || l.step.Func.Addr == 0 {
				return ""
			}
			return fmt.Sprintf("%x", l.step.Func.Addr)
		}},
		{"task", "      TASK NAME", func(l *flowLine) string { return l.step.Thread.Comm }},
		{"module", "     MODULE NAME", func(l *flowLine) string {
			if l.step.Module == "" {
				return ""
			}
			return filepath.Base(l.step.Module)
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

// before is the part of a line ahead of the function.
func (f Fields) before(l *flowLine) string {
	if len(f.list) == 0 {
		return ""
	}
	var b strings.Builder
	for _, field := range f.list {
		text, width := field.text(l), len(field.title)
		if terminal.Width(text) > max(width, maxField) {
			text = terminal.Shorten(text, maxField)
		}
		for range 1 + width - terminal.Width(text) {
			b.WriteByte(' ')
		}
		b.WriteString(text)
	}
	b.WriteString(" | ")
	return b.String()
}

// maxField is the greatest width of a field: no number or time exceeds it.
const maxField = 16
