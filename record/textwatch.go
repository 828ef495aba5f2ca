//go:build linux

package record

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/dustin/go-humanize/english"

	"utrace/format"
	"utrace/record/internal/clock"
	"utrace/record/internal/image"
	"utrace/record/internal/insn"
	"utrace/record/internal/proc"
	"utrace/record/internal/procmaps"
)

// The code of recorded processes is looked at once a second. That takes at most 2% of a processor:
// the pause is textPause times as long as the look.
const (
	textEvery = time.Second
	textPause = 50
)

// instructionStart is how many bytes of an instruction are compared: a breakpoint changes the first
// one on x86, and all four on arm64.
const instructionStart = 4

// maxLooked is at most how many sites of a module are looked at, evenly distributed. Programs lose
// breakpoints by the page, many at once.
const maxLooked = 1024

// textWatch notices functions of a process that have lost their breakpoints without a word of the
// kernel. A program can discard its pages of a file (madvise with MADV_DONTNEED), map the file
// anew, move its code to other memory, where the kernel places none, or overwrite them.
type textWatch struct {
	probes *attachedProbes
	// attached returns the modules of each recorded process.
	attached func() map[int][]*module
	startNs  uint64 // CLOCK_MONOTONIC of the trace's time 0

	mu       sync.Mutex // protects all below
	watched  map[*module][]watchedSite
	seen     map[textKey]bool  // reported
	mapped   map[textKey]bool  // whose code was where the file's is
	programs map[int]image.Key // by PID: of processes that are not followed, when the recording began
	lost     []format.LeftOut
	findings []textFinding
	replaced []string // processes that have executed another program

	quit     chan struct{}
	stopOnce sync.Once
	closed   sync.WaitGroup
}

// textKey is a module in a process.
type textKey struct {
	pid     int
	started string // start time of the process
	m       *module
}

// watchedSite is the site of a function's entry or of a static probe.
type watchedSite struct {
	site
	original []byte // first bytes of its instruction in the file; nil if they cannot be read
}

// textFinding is a module that has lost breakpoints, in one process or in several.
type textFinding struct {
	m         *module
	why, text string
	processes processCount
}

func newTextWatch(probes *attachedProbes, attached func() map[int][]*module) *textWatch {
	return &textWatch{
		probes: probes, attached: attached,
		watched: map[*module][]watchedSite{}, seen: map[textKey]bool{}, mapped: map[textKey]bool{}, programs: map[int]image.Key{}, quit: make(chan struct{}),
	}
}

// watch looks at the code of processes until stop. Those that are not followed are expected to
// execute no other program.
func (w *textWatch) watch(startNs uint64, follow bool) {
	w.startNs = startNs
	for pid := range w.attached() {
		if program, err := image.ProgramOf(pid); err == nil && !follow {
			w.programs[pid] = program
		}
	}
	w.closed.Go(func() {
		for pause := textEvery; ; {
			select {
			case <-time.After(pause):
				start := time.Now()
				w.lookAtAll()
				pause = max(textEvery, textPause*time.Since(start))
			case <-w.quit:
				return
			}
		}
	})
}

// stop looks a last time.
func (w *textWatch) stop() {
	w.stopOnce.Do(func() {
		close(w.quit)
		w.closed.Wait()
		w.lookAtAll()
	})
}

func (w *textWatch) lookAtAll() {
	attached := w.attached()
	for pid, modules := range attached {
		w.look(pid, modules)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	ended := func(key textKey, _ bool) bool { return attached[key.pid] == nil }
	maps.DeleteFunc(w.seen, ended)
	maps.DeleteFunc(w.mapped, ended)
}

// look compares the code of a process with its files.
func (w *textWatch) look(pid int, modules []*module) {
	if w.compare(pid, modules, false) {
		w.compare(pid, w.attached()[pid], true) // unless its links were being replaced
	}
}

// compare looks for functions of modules that lack their breakpoint in a process. It reports
// whether there are some and, with report, notes them.
func (w *textWatch) compare(pid int, modules []*module, report bool) (found bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	mappings, err := procmaps.Read(pid)
	if err != nil || proc.LeaderGone(pid) {
		return false
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return false
	}
	defer mem.Close()
	started := proc.StartTime(pid)
	if program, err := image.ProgramOf(pid); err == nil && w.programs[pid] != (image.Key{}) && program != w.programs[pid] {
		w.executed(pid)
		return false
	}
	byFile := mappingsByFile(pid, mappings)
	for _, m := range modules {
		key := textKey{pid, started, m}
		if w.seen[key] || len(byFile[m.Image.Key]) == 0 { // not loaded, or not yet
			continue
		}
		gone, changed, moved := w.missing(m, byFile[m.Image.Key], mem)
		if len(moved) == 0 {
			w.mapped[key] = true
		} else if program, err := image.ProgramOf(pid); !w.mapped[key] && (err != nil || program != m.Image.Key) {
			continue // a library that is not mapped as code, or not yet
		}
		found = found || len(gone)+len(changed)+len(moved) > 0
		if report {
			w.report(key, gone, "has discarded or newly mapped its code, and so the breakpoints in it")
			w.report(key, changed, "has changed its code, and so overwritten the breakpoints in it")
			w.report(key, moved, "has moved its code to other memory, where the kernel places no breakpoints")
		}
	}
	return found
}

// executed notes that a process has executed another program, without the probes of the earlier one.
func (w *textWatch) executed(pid int) {
	delete(w.programs, pid)
	now := time.Duration(clock.SinceStart(clock.MonotonicNs(), w.startNs))
	w.replaced = append(w.replaced, fmt.Sprintf("%s has executed another program, whose functions are not probed (noticed %.1f s after the start): use --follow", describeProcess(pid), now.Seconds()))
}

// mappingsByFile returns the mappings of each file of a process.
func mappingsByFile(pid int, maps []procmaps.Mapping) map[image.Key][]procmaps.Mapping {
	keys := map[image.Key]image.Key{} // of stat, by those of the mappings
	byFile := map[image.Key][]procmaps.Mapping{}
	for _, m := range maps {
		if m.Inode == 0 {
			continue
		}
		mapped := image.Key{Dev: m.Dev, Ino: m.Inode}
		if _, ok := keys[mapped]; !ok {
			keys[mapped] = image.KeyOf(m, m.OpenPath(pid))
		}
		byFile[keys[mapped]] = append(byFile[keys[mapped]], m)
	}
	return byFile
}

// missing returns the functions of a module, by index, without their breakpoint: those whose code
// is that of the file, those whose code the process has changed, and those whose code is not mapped
// from the file.
func (w *textWatch) missing(m *module, maps []procmaps.Mapping, mem io.ReaderAt) (gone, changed, moved []int) {
	machine := m.Image.File.Machine
	first := insn.MinLen(machine) // what follows may have breakpoints of its own
	probed := w.probes.probed(m)
	now := make([]byte, instructionStart)
	for _, s := range w.sitesOf(m) {
		if s.original == nil || !probed(s.fn) {
			continue
		}
		at := slices.IndexFunc(maps, func(m procmaps.Mapping) bool {
			return m.Exec && uint64(m.FileOff) <= s.fileOff && s.fileOff < uint64(m.FileOff)+m.End-m.Start
		})
		if at < 0 {
			moved = append(moved, s.fn)
			continue
		}
		if _, err := mem.ReadAt(now, int64(maps[at].Start+s.fileOff-uint64(maps[at].FileOff))); err != nil {
			continue
		}
		switch {
		case bytes.Equal(now, s.original):
			gone = append(gone, s.fn)
		case insn.IsNop(machine, s.original), now[0] == s.original[0]: // the kernel makes calls of nops
		case !insn.IsBreakpoint(machine, now[:first], s.original[:first]):
			changed = append(changed, s.fn)
		}
	}
	return gone, changed, moved
}

// report notes functions that have lost their breakpoints in a process.
func (w *textWatch) report(key textKey, fns []int, why string) {
	if len(fns) == 0 {
		return
	}
	w.seen[key] = true
	if at := slices.IndexFunc(w.findings, func(f textFinding) bool { return f.m == key.m && f.why == why }); at >= 0 {
		w.findings[at].processes.add("")
		return
	}
	now := time.Duration(clock.SinceStart(clock.MonotonicNs(), w.startNs))
	text := fmt.Sprintf("%s %s. Noticed %.1f s after the start: later calls are missing, perhaps also those of a second before", describeProcess(key.pid), why, now.Seconds())
	number := english.Plural(len(fns), "function", "")
	if len(w.sitesOf(key.m)) < len(key.m.sites.first()) {
		number = "at least " + number
	}
	f := textFinding{m: key.m, why: why, text: fmt.Sprintf("%s of %s: %s", number, key.m.Path, text)}
	f.processes.add("")
	w.findings = append(w.findings, f)
	for _, fn := range fns {
		f := &key.m.Funcs[fn]
		w.lost = append(w.lost, format.LeftOut{Name: f.Name, Module: key.m.Path, Addr: f.Addr, Reason: text})
	}
}

// warnings says which modules have lost breakpoints.
func (w *textWatch) warnings() (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list = append(list, w.replaced...)
	for _, f := range w.findings {
		text := f.text
		if n := f.processes.count; n > 1 {
			text += ", also in " + english.Plural(n-1, "other process", "other processes")
		}
		list = append(list, text)
	}
	return list
}

// sitesOf returns the sites of a module that are looked at.
func (w *textWatch) sitesOf(m *module) []watchedSite {
	if list, ok := w.watched[m]; ok {
		return list
	}
	all := m.sites.first()
	step := max(1, (len(all)+maxLooked-1)/maxLooked)
	var list []watchedSite
	for i := 0; i < len(all); i += step {
		s := watchedSite{site: all[i], original: make([]byte, instructionStart)}
		if _, err := m.file.ReadAt(s.original, int64(s.fileOff)); err != nil {
			s.original = nil
		}
		list = append(list, s)
	}
	w.watched[m] = list
	return list
}
