//go:build linux

package threads

import (
	"cmp"
	"slices"

	"utrace/format"
)

// exec is that a process executes another program.
type exec struct {
	pid     uint32
	tid     uint32 // the former ID of the thread that did it
	timeNs  uint64 // CLOCK_MONOTONIC
	program string
}

// Exit is the end of a numbered thread, goroutine or track.
type Exit struct {
	Thread   format.ThreadID
	TimeNs   uint64 // CLOCK_MONOTONIC
	Replaced bool   // its process executes another program
	Program  string // the name of that program, for one of its threads; "" for the others

	pid, tid uint32
}

// Exits returns the ends of this pass by number. All events of the pass must have been numbered.
func (t *Set) Exits() []Exit {
	var list []Exit
	for tid, lives := range t.ended {
		for _, l := range lives {
			if l.defined {
				list = append(list, Exit{Thread: l.id, TimeNs: l.endNs, pid: l.process.pid, tid: tid})
			}
		}
	}
	if len(t.Gone) > 0 { // there may be very many goroutines
		for key, l := range t.routines {
			for _, ns := range t.Gone[key.pid] { // several: it has a namesake in each program
				list = append(list, Exit{Thread: l.id, TimeNs: ns, pid: key.pid})
			}
		}
	}
	slices.SortFunc(list, func(a, b Exit) int { return cmp.Or(cmp.Compare(a.Thread, b.Thread), cmp.Compare(a.TimeNs, b.TimeNs)) })
	for i := range t.execs {
		t.execs[i].name(list)
	}
	return list
}

// name marks the threads that end with the exec. It gives the program to the thread that executed
// it or, if that had no events, to another one that ended with it.
func (e *exec) name(list []Exit) {
	var named *Exit
	for i := range list {
		x := &list[i]
		if x.pid != e.pid || x.TimeNs != e.timeNs {
			continue
		}
		x.Replaced = true
		if named == nil || x.tid == e.tid {
			named = x
		}
	}
	if named != nil {
		named.Program = e.program
	}
}
