//go:build linux

package record

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"utrace/format"
	"utrace/record/internal/clock"
	"utrace/record/internal/image"
	"utrace/record/internal/procmaps"
)

// textEvery is how often the code of recorded processes is looked at.
const textEvery = time.Second

// instructionStart is how many bytes of an instruction are compared: a breakpoint changes the first
// one on x86, and all four on arm64.
const instructionStart = 4

// textWatch notices functions of a process that have lost their breakpoints without a word of the
// kernel. A program can discard its pages of a file (madvise with MADV_DONTNEED), map the file
// anew, or move its code to other memory, where the kernel places none.
type textWatch struct {
	probes *attachedProbes
	// attached returns the modules of each recorded process.
	attached func() map[int][]*module
	startNs  uint64 // CLOCK_MONOTONIC of the trace's time 0

	mu        sync.Mutex           // protects all below
	originals map[*module][][]byte // first bytes of each entry's instruction in the file
	seen      map[textKey]bool
	lost      []format.LeftOut
	warnings  []string

	quit     chan struct{}
	stopOnce sync.Once
	closed   sync.WaitGroup
}

// textKey is a module in a process.
type textKey struct {
	pid int
	m   *module
}

func newTextWatch(probes *attachedProbes, attached func() map[int][]*module) *textWatch {
	return &textWatch{
		probes: probes, attached: attached,
		originals: map[*module][][]byte{}, seen: map[textKey]bool{}, quit: make(chan struct{}),
	}
}

// watch looks at the code of processes until stop.
func (w *textWatch) watch(startNs uint64) {
	w.startNs = startNs
	w.closed.Go(func() {
		every := time.NewTicker(textEvery)
		defer every.Stop()
		for {
			select {
			case <-every.C:
				w.lookAtAll()
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
	for pid, modules := range w.attached() {
		w.look(pid, modules)
	}
}

// look compares the code of a process with its files.
func (w *textWatch) look(pid int, modules []*module) {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps, err := procmaps.Read(pid)
	if err != nil {
		return
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return
	}
	defer mem.Close()
	for _, m := range modules {
		if key := (textKey{pid, m}); !w.seen[key] {
			w.compare(key, mappingsOf(pid, maps, m.Image.Key), mem)
		}
	}
}

// mappingsOf returns the mappings of a file.
func mappingsOf(pid int, maps []procmaps.Mapping, key image.Key) []procmaps.Mapping {
	keys := map[image.Key]image.Key{} // of stat, by those of the mappings
	return slices.DeleteFunc(slices.Clone(maps), func(m procmaps.Mapping) bool {
		if m.Inode == 0 {
			return true
		}
		mapped := image.Key{Dev: m.Dev, Ino: m.Inode}
		if _, ok := keys[mapped]; !ok {
			keys[mapped] = image.KeyOf(m, m.OpenPath(pid))
		}
		return keys[mapped] != key
	})
}

// compare looks for functions of a module that lack their breakpoint in a process.
func (w *textWatch) compare(key textKey, maps []procmaps.Mapping, mem io.ReaderAt) {
	if len(maps) == 0 { // not loaded, or not yet
		return
	}
	originals := w.originalsOf(key.m)
	var gone, moved []int
	for i, s := range key.m.sites.entries {
		if key.m.refused[s.fn] || w.probes.isRemoved(key.m, s.fn) || originals[i] == nil {
			continue
		}
		at := slices.IndexFunc(maps, func(m procmaps.Mapping) bool {
			return m.Exec && uint64(m.FileOff) <= s.fileOff && s.fileOff < uint64(m.FileOff)+m.End-m.Start
		})
		if at < 0 {
			moved = append(moved, s.fn)
			continue
		}
		now := make([]byte, instructionStart)
		if _, err := mem.ReadAt(now, int64(maps[at].Start+s.fileOff-uint64(maps[at].FileOff))); err != nil {
			return // it has ended
		}
		if bytes.Equal(now, originals[i]) {
			gone = append(gone, s.fn)
		}
	}
	w.report(key, gone, "has discarded or newly mapped its code, and so the breakpoints in it")
	w.report(key, moved, "has moved its code to other memory, where the kernel places no breakpoints")
}

// report notes functions that have lost their breakpoints in a process.
func (w *textWatch) report(key textKey, fns []int, why string) {
	if len(fns) == 0 {
		return
	}
	w.seen[key] = true
	now := time.Duration(clock.SinceStart(clock.MonotonicNs(), w.startNs))
	text := fmt.Sprintf("%s %s. Noticed %.1f s after the start: later calls are missing, and up to %v before", describeProcess(key.pid), why, now.Seconds(), textEvery)
	w.warnings = append(w.warnings, fmt.Sprintf("%d of %d functions of %s: %s", len(fns), len(key.m.sites.entries), key.m.Path, text))
	for _, fn := range fns {
		f := key.m.Funcs[fn]
		w.lost = append(w.lost, format.LeftOut{Name: f.Name, Module: key.m.Path, Addr: f.Addr, Reason: text})
	}
}

// originalsOf returns the first bytes of each entry's instruction in the file, nil where they
// cannot be read.
func (w *textWatch) originalsOf(m *module) [][]byte {
	if list, ok := w.originals[m]; ok {
		return list
	}
	list := make([][]byte, len(m.sites.entries))
	for i, s := range m.sites.entries {
		b := make([]byte, instructionStart)
		if _, err := m.file.ReadAt(b, int64(s.fileOff)); err == nil {
			list[i] = b
		}
	}
	w.originals[m] = list
	return list
}
