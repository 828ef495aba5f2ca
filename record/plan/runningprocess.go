//go:build linux

package plan

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"utrace/record/internal/image"
	"utrace/record/internal/proc"
	"utrace/record/internal/procmaps"
)

// runningProcess is a process of the machine, as far as utrace looks at it to choose.
type runningProcess struct {
	pid     int
	name    string
	program *image.Image   // nil if it cannot be examined
	files   []*image.Image // programs and libraries that it has mapped
}

func (r runningProcess) String() string { return fmt.Sprintf("%s (process %d)", r.name, r.pid) }

// runningProcesses returns the processes of the machine, except this one and the kernel's own.
// denied is the number of processes that cannot be examined without root.
func runningProcesses(s *image.Set) (list []runningProcess, denied int) {
	for _, pid := range proc.All() {
		maps, err := procmaps.Read(pid)
		if errors.Is(err, os.ErrPermission) {
			denied++
		}
		if err != nil || len(maps) == 0 { // it has ended, or is the kernel's
			continue
		}
		r := newRunningProcess(s, pid, maps)
		if len(r.files) > 0 {
			list = append(list, r)
		}
	}
	return list, denied
}

// newRunningProcess opens the files that a process has mapped.
func newRunningProcess(s *image.Set, pid int, maps []procmaps.Mapping) runningProcess {
	r := runningProcess{pid: pid, name: proc.Comm(pid)}
	root := proc.OtherRoot(pid)
	program, _ := image.ProgramOf(pid)
	for _, m := range maps {
		key := image.Key{Dev: m.Dev, Ino: m.Inode}
		if !m.Exec || s.Failed[key] {
			continue
		}
		open := m.OpenPath(pid)
		if open == "" {
			continue
		}
		img, err := s.Get(root, 0, m.Path, open)
		switch {
		case err != nil:
			s.Failed[key] = true
		case !slices.Contains(r.files, img):
			r.files = append(r.files, img)
		}
		if err == nil && img.Key == program {
			r.program = img
		}
	}
	return r
}

// groupByName describes processes, those with the same name together: NAME (process PID), or NAME
// (N processes).
func groupByName(list []runningProcess) (texts []string) {
	groups := map[string][]runningProcess{}
	var names []string
	for _, r := range list {
		if groups[r.name] == nil {
			names = append(names, r.name)
		}
		groups[r.name] = append(groups[r.name], r)
	}
	for _, name := range names {
		if n := len(groups[name]); n > 1 {
			texts = append(texts, fmt.Sprintf("%s (%d processes)", name, n))
		} else {
			texts = append(texts, groups[name][0].String())
		}
	}
	return texts
}
