//go:build linux

package record

import (
	"cmp"
	"io"
	"slices"
	"time"

	"utrace/record/internal/linker"
	"utrace/record/internal/survey"
)

// links are the attached probes of a recording.
type links struct {
	returns []probeLink // the kernel's return probes
	others  []probeLink
	pending []<-chan struct{} // further ones that are being attached; closed once they are gone again
}

// probeLink is a link of one program and several functions.
type probeLink struct {
	io.Closer
	module *module
	set    *survey.Set // nil: all functions of the module
}

func (l links) count() int { return len(l.returns) + len(l.others) }

func (l *links) add(more links) {
	l.returns = append(l.returns, more.returns...)
	l.others = append(l.others, more.others...)
	l.pending = append(l.pending, more.pending...)
}

// take removes some links and returns them.
func (l *links) take(its func(probeLink) bool) (taken links) {
	for _, list := range []struct{ from, to *[]probeLink }{{&l.returns, &taken.returns}, {&l.others, &taken.others}} {
		for _, p := range *list.from {
			if its(p) {
				*list.to = append(*list.to, p)
			}
		}
		*list.from = slices.DeleteFunc(*list.from, its)
	}
	return taken
}

// closeTogether detaches all probes at once. Each breakpoint stays until its last link is closed,
// so this removes them sooner than close.
func (l links) closeTogether() error {
	err := linker.CloseAll(append(l.returns, l.others...))
	for _, over := range l.pending {
		<-over
	}
	return err
}

// close detaches all probes: first the return probes, all at once.
//
// The kernel waits for calls whose return probe is pending, unless their thread has started none
// for 100 ms (ri_timer in kernel/events/uprobes.c, since 6.13; each call restarts it). Seen on
// Linux 6.18: when links were detached one after the other, a program that called a traced function
// every 10 ms kept the recorder until its main had returned. Perf events wait together for whatever
// does not need event_mutex: a hundred of them take a third less time.
func (l links) close() error {
	return cmp.Or(linker.CloseAll(l.returns), linker.CloseAll(l.others))
}

// perfCloseTime is how long it can take to close one of many perf events. The kernel waits for
// several RCU grace periods, for one event after the other (perf_uprobe_destroy holds event_mutex).
// Measured with 2,000 events: 44 ms each on Linux 6.1, emulated; 125 ms on 6.18.
const perfCloseTime = 125 * time.Millisecond
