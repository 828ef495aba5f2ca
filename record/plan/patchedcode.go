//go:build linux

package plan

import (
	"fmt"
	"slices"

	"utrace/record/internal/abi"
	"utrace/record/internal/elffile"
	"utrace/record/internal/patched"
	"utrace/record/internal/proc"
)

// dropPatched leaves out the functions of the file whose code a running process has changed: see
// package patched.
func (f *filePlan) dropPatched() {
	for i := range f.m.Funcs {
		f.m.Funcs[i].setCode(f.img.File)
	}
	var pids []int
	for _, sc := range f.p.users[f.img] {
		switch {
		case sc.PID != 0:
			pids = append(pids, sc.PID)
		case sc.Program == nil: // the machine
			pids = append(pids, proc.All()...)
		}
	}
	for _, pid := range pids {
		code := patched.Open(pid, f.img.Key, f.img.File.Machine)
		if code == nil {
			continue
		}
		f.m.Funcs = slices.DeleteFunc(f.m.Funcs, func(fn Func) bool {
			changed := fn.isPatched(code)
			if changed {
				f.leaveOut(fn.Name, abi.Addr(fn.Addr), WhyPatched(pid))
			}
			return changed
		})
		code.Close()
	}
}

// PatchedIn returns the functions of the module, by index, whose code a process has changed. It
// looks at those that wants selects.
func (m *Module) PatchedIn(pid int, wants func(fn int) bool) (fns []int) {
	code := patched.Open(pid, m.Image.Key, m.Image.File.Machine)
	if code == nil {
		return nil
	}
	defer code.Close()
	for i := range m.Funcs {
		if wants(i) && m.Funcs[i].isPatched(code) {
			fns = append(fns, i)
		}
	}
	return fns
}

// WhyPatched is the reason to leave out a function whose code a process has changed.
func WhyPatched(pid int) string {
	return fmt.Sprintf("process %d has changed its code in memory: a breakpoint there could crash it", pid)
}

// setCode notes the instructions at which the function is probed first.
func (fn *Func) setCode(file *elffile.File) {
	fn.code = instructionAt(file, abi.Addr(fn.Site))
	for _, sites := range [][]USDTSite{fn.USDTSites, fn.Raised} {
		for i := range sites {
			sites[i].code = instructionAt(file, abi.Addr(sites[i].Addr))
		}
	}
}

// isPatched reports whether the process has changed one of these instructions.
func (fn *Func) isPatched(code *patched.Code) bool {
	changed := func(s USDTSite) bool { return code.Changed(elffile.FileOff(s.FileOff), s.code) }
	if len(fn.USDTSites) == 0 {
		return code.Changed(elffile.FileOff(fn.FileOff), fn.code) || slices.ContainsFunc(fn.Raised, changed)
	}
	return slices.ContainsFunc(fn.USDTSites, changed) || slices.ContainsFunc(fn.Raised, changed)
}
