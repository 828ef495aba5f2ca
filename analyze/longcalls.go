package analyze

import (
	"container/list"
	"time"

	"utrace/format"
)

// maxHeldSteps limits how many steps wait until a call is known to be long enough; maxHeldBytes
// limits their values. Beyond a limit, a call counts as long enough.
const maxHeldSteps = 64 << 10

// longCalls passes on the steps of calls of at least min, and of the calls around them. The
// duration of a call is known when it is over, so longCalls holds back all later steps, in order.
type longCalls struct {
	min   time.Duration
	visit func(*Step) error
	held  *list.List                      // of *heldStep
	bytes int                             // of the values in held
	open  map[format.ThreadID][]*heldStep // calls, outermost first
}

type heldStep struct {
	*Step
	shown bool
	at    *list.Element
}

func newLongCalls(min time.Duration, visit func(*Step) error) *longCalls {
	return &longCalls{min: min, visit: visit, held: list.New(), open: map[format.ThreadID][]*heldStep{}}
}

func (l *longCalls) step(s *Step) error {
	open := l.open[s.ThreadID]
	switch s.Kind {
	case Enter:
		h := l.hold(s, false)
		l.open[s.ThreadID] = append(open, h)
	case Waited: // if it is long enough, so are the calls around it
		if s.Duration < l.min {
			break
		}
		show(open)
		l.hold(s, true)
	case Leave:
		last := len(open) - 1
		call := open[last]
		l.open[s.ThreadID] = open[:last]
		if s.State == Complete && s.Duration >= l.min {
			show(open)
		}
		if call.shown {
			l.hold(s, true)
		} else {
			l.remove(call)
		}
	}
	return l.release(maxHeldSteps)
}

// show marks open calls, outermost first. The calls around a marked one are marked already.
func show(open []*heldStep) {
	for i := len(open) - 1; i >= 0 && !open[i].shown; i-- {
		open[i].shown = true
	}
}

func (l *longCalls) hold(s *Step, shown bool) *heldStep {
	held := *s
	h := &heldStep{Step: &held, shown: shown}
	h.at = l.held.PushBack(h)
	l.bytes += h.bytes()
	return h
}

// remove gives up a step. A call stays among the open ones, without its values.
func (l *longCalls) remove(h *heldStep) {
	l.held.Remove(h.at)
	l.bytes -= h.bytes()
	h.Step = nil
}

func (h *heldStep) bytes() int { return len(h.Args) + len(h.Results) }

// release passes on the steps up to the first whose call may be too short, and more if it holds
// more than limit steps.
func (l *longCalls) release(limit int) error {
	for l.held.Len() > 0 {
		h := l.held.Front().Value.(*heldStep)
		if !h.shown && l.held.Len() <= limit && l.bytes <= maxHeldBytes {
			return nil
		}
		h.shown = true
		step := h.Step
		l.remove(h)
		if err := l.visit(step); err != nil {
			return err
		}
	}
	return nil
}

// flush passes on the steps that are left.
func (l *longCalls) flush() error { return l.release(maxHeldSteps) }
