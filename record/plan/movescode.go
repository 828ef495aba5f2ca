//go:build linux

package plan

import (
	"fmt"
	"slices"

	"utrace/record/internal/image"
)

// whyMoves says why the code of a file gets no breakpoints: a program that moves its code to huge
// pages when it starts would carry them along. It is "" in processes that have already started, if
// nothing that they execute is recorded.
func (p *Plan) whyMoves(img *image.Image) string {
	starts := p.probesUnknownProcesses() || slices.ContainsFunc(p.users[img], func(sc *Scope) bool { return sc.PID == 0 })
	if !starts {
		return ""
	}
	sign, ok := img.File.MovesCode()
	if !ok {
		return ""
	}
	return whyMovesCode(sign)
}

func whyMovesCode(sign string) string {
	return fmt.Sprintf("the program may move its code to huge pages when it starts (%s), and breakpoints would kill it: "+
		"record it with -p and without --follow, once it has started", sign)
}
