package list

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"utrace/record/internal/elffile"
	"utrace/record/internal/image"
	"utrace/record/internal/proc"
	"utrace/record/internal/procmaps"
)

// addMachine adds the files that any process maps.
func (l *lister) addMachine() error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	seen := map[image.Key]bool{}
	denied := 0
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		maps, err := procmaps.Read(pid)
		switch {
		case errors.Is(err, os.ErrPermission):
			denied++
		case err == nil: // otherwise it has ended
			l.addMapped(pid, maps, seen)
		}
	}
	if denied > 0 {
		l.warn(fmt.Errorf("permission denied for %d processes: files that only they map are not listed: run utrace as root (sudo)", denied))
	}
	return nil
}

func (l *lister) addProcess(pid int) error {
	maps, err := procmaps.Read(pid)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("no process %d", pid)
	case errors.Is(err, os.ErrPermission):
		return proc.Denied(pid)
	case err != nil:
		return fmt.Errorf("process %d: %w", pid, err)
	case len(maps) == 0:
		return proc.NoProgram(pid)
	}
	l.addMapped(pid, maps, map[image.Key]bool{})
	return nil
}

// addMapped adds the files whose code a process maps, including deleted ones.
func (l *lister) addMapped(pid int, maps []procmaps.Mapping, seen map[image.Key]bool) {
	root := proc.OtherRoot(pid)
	for _, m := range maps {
		if !m.Exec {
			continue
		}
		open := m.OpenPath(pid)
		key := image.KeyOf(m, open)
		if open == "" || seen[key] {
			continue
		}
		seen[key] = true
		err := l.addFile(open, m.Path, root)
		if errors.Is(err, os.ErrNotExist) {
			delete(seen, key) // the process has ended: another may map the file
		} else if err != nil && !errors.Is(err, elffile.ErrNotELF) && !errors.Is(err, elffile.ErrUnsupported) {
			l.warn(err)
		}
	}
}
