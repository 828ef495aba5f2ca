package browser

import (
	"fmt"
	"strings"

	"utrace/analyze"
	"utrace/analyze/render"
)

// maxSlowest is how many slow calls are listed.
const maxSlowest = 100

// slowest is the list of the slowest calls. Enter shows the flow below a call.
type slowest struct{ calls []analyze.SlowCall }

func (s *slowest) head(int) []string {
	return []string{"    DURATION       START     TID  CALL"}
}

func (s *slowest) length() int { return len(s.calls) }

func (s *slowest) line(i, _ int) string {
	c := &s.calls[i]
	return fmt.Sprintf("%12s %11s %7s  %s", analyze.FormatDuration(c.Duration), analyze.FormatDuration(c.Start), analyze.FlowName(&c.Thread), render.SlowName(c))
}

func (s *slowest) enter(line int) document {
	var out strings.Builder
	if err := render.SlowCall(&out, &s.calls[line]); err != nil {
		return newText("", err.Error())
	}
	return newText("", out.String())
}
