package analyze

import (
	"cmp"
	"slices"
	"time"

	"utrace/format"
)

// LossWindow is a time in which events were lost.
type LossWindow struct {
	From, To         time.Duration // of the first and the last lost event, since the start of its trace
	Entries, Returns uint64
}

// lossWindows are the times in which something was lost on any CPU. They are in order and do not
// overlap.
type lossWindows struct {
	of   func(*format.Loss) bool // which losses count
	list []LossWindow
	seen int // losses added
}

func ofEvents(l *format.Loss) bool { return l.Entries+l.Returns > 0 }

// ofSwitches is about records of the scheduler.
func ofSwitches(l *format.Loss) bool { return l.Sched > 0 }

// maxUnordered is how far from the end a new window may go: those of one round of the recorder come
// by CPU.
const maxUnordered = 256

// add adds all losses. It skips known ones. They come nearly in order of time: one far out of order
// makes a window too long, never too short.
func (w *lossWindows) add(losses []format.Loss) {
	if len(losses) <= w.seen {
		return
	}
	for i := range losses[w.seen:] {
		l := &losses[w.seen+i]
		if !w.of(l) {
			continue
		}
		next := LossWindow{time.Duration(min(l.FirstNs, maxTimeNs)), time.Duration(min(l.LastNs, maxTimeNs)), l.Entries, l.Returns}
		next.To = max(next.To, next.From)
		to := len(w.list)
		for to > max(0, len(w.list)-maxUnordered) && w.list[to-1].From > next.To {
			to--
		}
		from := to
		for from > 0 && w.list[from-1].To >= next.From {
			from--
			last := w.list[from]
			next = LossWindow{min(next.From, last.From), max(next.To, last.To), next.Entries + last.Entries, next.Returns + last.Returns}
		}
		w.list = slices.Replace(w.list, from, to, next)
	}
	w.seen = len(losses)
}

// touch reports whether a window overlaps the time between two moments.
func (w *lossWindows) touch(fromNs, toNs int64) bool {
	n := len(w.list)
	if n == 0 || int64(w.list[n-1].To) < fromNs {
		return false
	}
	i, _ := slices.BinarySearchFunc(w.list, fromNs, func(w LossWindow, from int64) int { return cmp.Compare(int64(w.To), from) })
	return int64(w.list[i].From) <= toNs
}

// TouchedThread is a thread with calls that a loss of events may have touched.
type TouchedThread struct {
	PID, TID  int
	Name      string
	Uncertain uint64 // calls
}

// lostCalls returns the functions with lost entries.
func lostCalls(t *format.Tables) []format.FuncLoss {
	if t.End == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(t.End.FuncLost), func(l format.FuncLoss) bool { return l.Entries == 0 || int(l.Func) >= len(t.Funcs) })
}
