//go:build linux

package plan

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"utrace/record/internal/image"
	"utrace/record/internal/proc"
)

const (
	// busyLook is how long the CPU time of all processes is watched before utrace chooses.
	busyLook = time.Second
	// minBusy is the share of one CPU above which a program is busy.
	minBusy = 0.01
	// maxBusyPrograms limits how many programs are chosen for their CPU time.
	maxBusyPrograms = 20
)

// cpuWatch measures the CPU time of all processes except this one.
type cpuWatch struct {
	began time.Time
	spent map[int]time.Duration // by PID, when it began
}

func watchCPU() cpuWatch {
	w := cpuWatch{began: time.Now(), spent: map[int]time.Duration{}}
	for _, pid := range proc.All() {
		w.spent[pid], _ = proc.CPUTime(uint32(pid))
	}
	return w
}

// shares returns by PID which share of one CPU a process has used, and omits those that used none.
func (w cpuWatch) shares() map[int]float64 {
	elapsed := time.Since(w.began)
	shares := map[int]float64{}
	for _, pid := range proc.All() {
		if now, ok := proc.CPUTime(uint32(pid)); ok && now > w.spent[pid] {
			shares[pid] = (now - w.spent[pid]).Seconds() / elapsed.Seconds()
		}
	}
	return shares
}

// busyProgram is a program whose processes used more than minBusy together.
type busyProgram struct {
	program   *image.Image
	processes []runningProcess // those that used CPU time
	share     float64          // of one CPU, all processes together
}

func (b busyProgram) String() string {
	first := b.processes[0]
	who := fmt.Sprintf("process %d", first.pid)
	if n := len(b.processes); n > 1 {
		who = fmt.Sprintf("%d processes", n)
	}
	return fmt.Sprintf("%s (%s, %.0f%% of a CPU)", first.name, who, 100*b.share)
}

func (b busyProgram) pids() (list []int) {
	for _, p := range b.processes {
		list = append(list, p.pid)
	}
	return list
}

// hazards returns the hazards of the processes as they are now. It reports false if some of their
// files are not known.
func (b busyProgram) hazards() (h processHazards, ok bool) {
	for _, p := range b.processes {
		files := image.NewSet()
		sc, err := ProcessScope(&files, p.pid)
		if err == nil {
			sc.started = true
			h = h.or(sc.hazards())
		}
		files.Close()
		if err != nil {
			return h, false
		}
	}
	return h, true
}

// maxConfined is in how many processes a program is probed one by one: the links of each make every
// hit in the others dearer.
const maxConfined = 8

// confined returns the hazards of the processes in which the program is probed: those that run now
// if return probes are safe only there, or all. later are the hazards of all.
func (b busyProgram) confined(later processHazards) processHazards {
	file := b.program.File
	if len(b.processes) > maxConfined || newFileHazards(file, later).why == "" {
		return later
	}
	now, ok := b.hazards()
	if !ok || newFileHazards(file, now).why != "" {
		return later
	}
	b.program.PIDs = b.pids()
	return now
}

// busyPrograms returns the programs that are busy, busiest first. shares says by PID which share of
// one CPU a process used.
func busyPrograms(list []runningProcess, shares map[int]float64) []busyProgram {
	programs := map[*image.Image]*busyProgram{}
	for _, r := range list {
		if shares[r.pid] == 0 || r.program == nil {
			continue
		}
		b := programs[r.program]
		if b == nil {
			b = &busyProgram{program: r.program}
			programs[r.program] = b
		}
		b.processes = append(b.processes, r)
		b.share += shares[r.pid]
	}

	var busy []busyProgram
	for b := range maps.Values(programs) {
		if b.share > minBusy {
			busy = append(busy, *b)
		}
	}
	slices.SortFunc(busy, func(a, b busyProgram) int {
		return cmp.Or(cmp.Compare(b.share, a.share), cmp.Compare(a.processes[0].pid, b.processes[0].pid))
	})
	return busy
}

// chooseBusy returns the programs whose functions are probed, most at most. Their files are held:
// some end soon, such as a test in a temporary directory. passed are the others, each with the
// reason. Interpreters are in neither if a preset shows the functions of their scripts.
func chooseBusy(files *image.Set, busy []busyProgram, most int) (chosen []busyProgram, passed []string) {
	var rest []string
	for _, b := range busy {
		if b.hasPreset() {
			continue
		}
		if len(chosen) >= most {
			rest = append(rest, b.String())
			continue
		}
		if why := b.whyNot(files); why != "" {
			passed = append(passed, fmt.Sprintf("functions of %s: %s", b, why))
			continue
		}
		chosen = append(chosen, b)
	}
	if len(rest) > 0 {
		passed = append(passed, fmt.Sprintf("functions of programs less busy than these %d: %s", maxBusyPrograms, strings.Join(rest, ", ")))
	}
	return chosen, passed
}

// hasPreset reports whether the program is an interpreter that a preset can trace.
func (b *busyProgram) hasPreset() bool {
	return slices.ContainsFunc(choosers(), func(c chooser) bool {
		fits := func(r runningProcess) bool { ok, _ := c.fits(r); return ok }
		return c.isInterpreter(b.program.Path) && slices.ContainsFunc(b.processes, fits)
	})
}

// whyNot says why the functions of the program are not probed. If they are, it returns "" and holds
// the file.
func (b *busyProgram) whyNot(files *image.Set) string {
	if own, err := image.ProgramOf(os.Getpid()); err == nil && own == b.program.Key {
		return "utrace itself runs this program"
	}
	files.FetchDebug(b.program)
	funcs, err := b.program.File.Funcs()
	switch {
	case err != nil:
		return err.Error()
	case len(funcs) == 0:
		return "neither symbols nor unwind tables say where its functions are"
	}
	if sign, ok := b.program.File.MovesCode(); ok {
		return whyMovesCode(sign)
	}
	for _, p := range b.processes {
		if r := RunningTextReader(p.pid); r.Reads(b.program.Key, b.program.Key) {
			return fmt.Sprintf("breakpoints may break it: process %d %s", p.pid, r.Why)
		}
	}
	if err := files.Hold(b.program); err != nil {
		return err.Error()
	}
	return ""
}
