package analyze

import (
	"container/list"
	"time"

	"utrace/format"
)

// maxHeldSteps is how many steps wait for it to be known whether a call is long enough, with maxHeldBytes of values; one that
// they wait for any longer counts as if it were.
const maxHeldSteps = 64 << 10

// longCalls passes on the steps of the calls that took at least min, and of those around them. What a call
// takes is known when it is over, so it holds back all later steps that are to be shown, in order.
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
	case Waited: // so long that the calls around it are, too
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

// show marks open calls, outermost first: those around one that is shown are shown.
func show(open []*heldStep) {
	for i := len(open) - 1; i >= 0 && !open[i].shown; i-- {
		open[i].shown = true
	}
}

func (l *longCalls) hold(s *Step, shown bool) *heldStep {
	h := &heldStep{Step: s, shown: shown}
	h.at = l.held.PushBack(h)
	l.bytes += h.bytes()
	return h
}

// remove gives up a step, which stays among the open calls while it is open, without its values.
func (l *longCalls) remove(h *heldStep) {
	l.held.Remove(h.at)
	l.bytes -= h.bytes()
	h.Step = nil
}

func (h *heldStep) bytes() int { return len(h.Args) + len(h.Results) }

// release passes on the steps up to the first whose call may be too short, and more if too many are held.
func (l *longCalls) release(most int) error {
	for l.held.Len() > 0 {
		h := l.held.Front().Value.(*heldStep)
		if !h.shown && l.held.Len() <= most && l.bytes <= maxHeldBytes {
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

// flush passes on what is left.
func (l *longCalls) flush() error { return l.release(maxHeldSteps) }
