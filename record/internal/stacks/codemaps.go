//go:build linux

package stacks

import (
	"slices"
	"sync"
	"time"

	"utrace/bpf"
	"utrace/record/internal/clock"
	"utrace/record/internal/elffile"
	"utrace/record/internal/image"
	"utrace/record/internal/proc"
	"utrace/record/internal/procmaps"
)

// pageBytes divides the address of the kernel's trampoline for returns.
const pageBytes = 4096

// rereadAfter is the age at which mappings are read again for an address that is in none of them.
const rereadAfter = 10 * time.Millisecond

// CodeMaps knows which code is mapped where, in processes with stacks. It reads the mappings at the
// first stack of a process and keeps them: the process may have ended at the next one.
type CodeMaps struct {
	images    image.Set
	files     map[image.Mapped]*stackFile
	named     map[string]*stackFile   // code that is in no file
	processes map[uint32]*processCode // by PID

	mu     sync.Mutex
	ending map[uint32]rememberedMaps // by PID, see Remember
}

// rememberedMaps are the mappings that a process had shortly before its end.
type rememberedMaps struct {
	readNs uint64 // CLOCK_MONOTONIC
	maps   []procmaps.Mapping
}

// stackFile is a mapped file, or mapped code that the kernel or the program created.
type stackFile struct {
	image *image.Image // nil if it cannot be opened, or is no file
	name  string
}

// processCode is the code that is mapped in a process.
type processCode struct {
	forkNs uint64 // CLOCK_MONOTONIC; 0 if no fork was reported
	pid    uint32
	parent uint32 // from which it was forked while recording; 0 if unknown
	code   []mappedCode
	readNs uint64 // CLOCK_MONOTONIC; 0: not yet
	// The code of the program that the process ran before its latest exec.
	before []mappedCode
	execNs uint64
}

// mappedCode is an executable mapping.
type mappedCode struct {
	procmaps.Mapping
	file *stackFile // nil until it is looked up
}

func newCodeMaps(files *image.Files) CodeMaps {
	return CodeMaps{
		images: files.NewSet(), files: map[image.Mapped]*stackFile{}, named: map[string]*stackFile{},
		processes: map[uint32]*processCode{}, ending: map[uint32]rememberedMaps{},
	}
}

func (s *CodeMaps) close() { s.images.Close() }

func (s *CodeMaps) process(pid uint32) *processCode {
	p := s.processes[pid]
	if p == nil {
		p = &processCode{pid: pid}
		s.processes[pid] = p
	}
	return p
}

// Task notes what happened to a process.
func (s *CodeMaps) Task(rec *bpf.Task) {
	switch rec.Kind {
	case bpf.TaskFork:
		s.processes[rec.PID] = &processCode{pid: rec.PID, parent: rec.Other, forkNs: rec.TimeNs}
	case bpf.TaskExec:
		p := s.process(rec.PID)
		p.before, p.code, p.readNs, p.execNs, p.parent = p.code, nil, 0, rec.TimeNs, 0
	}
}

// Remember reads the mappings of a process that is about to end. Any goroutine may call it.
func (s *CodeMaps) Remember(pid int) {
	maps, err := procmaps.Read(pid)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps = slices.DeleteFunc(maps, func(m procmaps.Mapping) bool { return !m.Exec })
	s.ending[uint32(pid)] = rememberedMaps{clock.MonotonicNs(), maps}
}

// remembered returns the mappings of a process that ended after ns, nil if none has.
func (s *CodeMaps) remembered(pid uint32, ns uint64) []procmaps.Mapping {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.ending[pid]; r.readNs >= ns {
		return r.maps
	}
	return nil
}

// forget drops a process that ended at endNs, but not a later one with its ID.
func (s *CodeMaps) forget(pid uint32, endNs uint64) {
	if p := s.processes[pid]; p != nil && p.forkNs > endNs {
		return
	}
	delete(s.processes, pid)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending[pid].readNs <= endNs { // otherwise they are of a later process
		delete(s.ending, pid)
	}
}

// find returns the code address of a return address that a process had on a stack at ns.
func (s *CodeMaps) find(p *processCode, ret, ns uint64) (codeAddr, bool) {
	if ns < p.execNs {
		return s.lookUp(p, p.before, ret)
	}
	if at, ok := s.lookUp(p, p.code, ret); ok {
		return at, true
	}
	if now := clock.MonotonicNs(); p.readNs == 0 || now-p.readNs > uint64(rereadAfter) {
		s.read(p, ns)
		p.readNs = now
	}
	at, ok := s.lookUp(p, p.code, ret)
	if !ok && ret%pageBytes == 0 { // mapped since
		return codeAddr{file: s.name(returnProbeName)}, true
	}
	return at, ok
}

// read reads the mappings that a process has had since ns. For one that has ended it takes the
// remembered ones, or those of its parent: another process, or a thread, may have its ID already.
func (s *CodeMaps) read(p *processCode, ns uint64) {
	maps := s.remembered(p.pid, ns)
	if maps == nil {
		maps, _ = procmaps.Read(int(p.pid)) // empty for a zombie
	}
	if len(maps) == 0 && len(p.code) == 0 && p.parent != 0 {
		parent := s.process(p.parent)
		if len(parent.code) == 0 {
			s.read(parent, ns)
		}
		p.code = parent.code
		return
	}
	var code []mappedCode
	for _, m := range maps {
		if m.Exec {
			code = append(code, mappedCode{Mapping: m})
		}
	}
	if len(code) > 0 {
		p.code = code
	}
}

func (s *CodeMaps) lookUp(p *processCode, code []mappedCode, ret uint64) (codeAddr, bool) {
	call := ret - 1 // a call can be the last instruction of a mapping
	i, found := slices.BinarySearchFunc(code, call, func(m mappedCode, at uint64) int {
		switch {
		case m.End <= at:
			return -1
		case m.Start > at:
			return 1
		}
		return 0
	})
	if !found {
		return codeAddr{}, false
	}
	m := &code[i]
	if m.file == nil {
		m.file = s.file(p, m)
	}
	if m.file.image == nil {
		return codeAddr{m.file, 0}, true
	}
	addr, ok := m.file.image.File.Addr(m.FileOff + elffile.FileOff(call-m.Start))
	return codeAddr{m.file, uint64(addr) + 1}, ok
}

// Names of code that is in no file.
const (
	returnProbeName = "[caller of a probed function]" // its stack frame has the address of the kernel's trampoline
	anonymousName   = "[code made at run time]"
)

// file returns the file of a mapping.
func (s *CodeMaps) file(p *processCode, m *mappedCode) *stackFile {
	key := image.Mapped{Key: image.Key{Dev: m.Dev, Ino: m.Inode}, Path: m.Path}
	if f := s.files[key]; f != nil && m.Inode != 0 {
		return f
	}
	if open := m.OpenPath(int(p.pid)); open != "" {
		f := &stackFile{name: m.Path}
		if img, err := s.images.Get(proc.OtherRoot(int(p.pid)), 0, m.Path, open); err == nil {
			f.image = img
		}
		s.files[key] = f
		return f
	}
	switch m.Path {
	case "[uprobes]":
		return s.name(returnProbeName)
	case "":
		return s.name(anonymousName)
	}
	return s.name(m.Path)
}

// name returns the stackFile for code that is in no file.
func (s *CodeMaps) name(name string) *stackFile {
	f := s.named[name]
	if f == nil {
		f = &stackFile{name: name}
		s.named[name] = f
	}
	return f
}
