//go:build linux

package plan

import (
	"fmt"
	"maps"

	"utrace/format"
	"utrace/record/internal/image"
	"utrace/record/internal/ldso"
	"utrace/record/internal/probe"
	"utrace/record/internal/procmaps"
)

// BusyWatch finds programs that become busy while the machine is recorded.
type BusyWatch struct {
	files *image.Files
	seen  map[image.Key]bool // programs that were looked at
	busy  map[int]image.Key  // busy processes of others at the last look
	cpu   cpuWatch
}

// ChoosesBusy reports whether programs that become busy are to be probed: utrace chose the probes,
// for the machine, and has not yet chosen as many programs as it may.
func (p *Plan) ChoosesBusy() bool { return p.seenBusy != nil && len(p.busy) < maxBusyPrograms }

// WatchBusy begins to watch.
func (p *Plan) WatchBusy() *BusyWatch {
	return &BusyWatch{files: p.Files, seen: p.seenBusy, cpu: watchCPU()}
}

// LaterBusy are programs that have become busy, and their files.
type LaterBusy struct {
	files    image.Set
	programs []busyProgram
}

// Look returns the programs with a process that has been busy at this look and at the last one, and
// that were not returned before; nil if there are none. It reads what takes long in their files: so
// ExtendBusy takes less long. It ends early if stop is closed.
func (w *BusyWatch) Look(stop <-chan struct{}) *LaterBusy {
	shares := w.cpu.shares()
	w.cpu = watchCPU()
	byProgram, lasts := map[image.Key]float64{}, map[image.Key]bool{}
	programs := map[int]image.Key{}
	for pid, share := range shares {
		if key, err := image.ProgramOf(pid); err == nil && !w.seen[key] {
			programs[pid] = key
			byProgram[key] += share
			lasts[key] = lasts[key] || w.busy[pid] == key
		}
	}
	maps.DeleteFunc(programs, func(_ int, key image.Key) bool { return byProgram[key] <= minBusy })
	w.busy = programs

	l := &LaterBusy{files: w.files.NewSet()}
	var list []runningProcess
	for pid, key := range programs {
		if !lasts[key] {
			continue
		}
		if maps, err := procmaps.Read(pid); err == nil {
			list = append(list, newRunningProcess(&l.files, pid, maps))
		}
	}
	for _, b := range busyPrograms(list, shares) {
		if isClosed(stop) {
			l.files.Close()
			return nil
		}
		w.seen[b.program.Key] = true
		l.programs = append(l.programs, b)
		if funcs, err := b.program.File.Funcs(); err == nil && len(funcs) > 0 {
			b.confined(programHazards(&l.files, b.program, ldso.New(nil)))
		}
	}
	if len(l.programs) == 0 {
		l.files.Close()
		return nil
	}
	return l
}

// ExtendBusy plans the functions of programs that have become busy, and returns the new modules.
// texts say what was chosen, and what was not. It ends early if stop is closed. Only one goroutine
// at a time may call it or Extend.
func (p *Plan) ExtendBusy(l *LaterBusy, stop <-chan struct{}) (added []*Module, texts []string) {
	before := len(p.Modules)
	p.later = append(p.later, &l.files)
	p.maxFuncs = chosenLimit(maxBusyPrograms)
	chosen, passed := chooseBusy(&l.files, l.programs, maxBusyPrograms-len(p.busy))
	for _, text := range passed {
		texts = append(texts, "not chosen: "+text)
	}
	for _, b := range chosen {
		if isClosed(stop) {
			break
		}
		if err := p.extendBusy(&l.files, b); err != nil {
			p.LeftOut = append(p.LeftOut, format.LeftOut{Name: "*", Module: b.program.Path, Reason: err.Error()})
			continue
		}
		texts = append(texts, fmt.Sprintf("chosen: functions of %s", b))
	}
	return p.Modules[before:], texts
}

func (p *Plan) extendBusy(files *image.Set, b busyProgram) error {
	all, err := p.addBusy(b)
	if err != nil {
		return err
	}
	p.Probes = append(p.Probes, all)
	probes := []*probe.Probe{all}
	for _, pr := range p.Probes {
		if pr.Exclude && pr.Path == "" && pr.Lib == "" && pr.USDT == nil {
			probes = append(probes, pr)
		}
	}
	finder := ldso.New(nil)
	hazards := b.confined(programHazards(files, b.program, finder))
	p.addUser(b.program, &Scope{finder: finder}) // any process of the machine
	defer delete(p.users, b.program)
	return p.addFile(b.program, probes, hazards, map[*probe.Probe]bool{})
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
