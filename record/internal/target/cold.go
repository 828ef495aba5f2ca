package target

import "sort"

// maxColdSize is the largest part of a function, in bytes, that is looked through for branches back. Several functions may claim one.
const maxColdSize = 16 << 10

// addBranchesBack adds to the targets of fn those of branches in its unlikely part, at which a branch of fn to the address to arrives, and
// reports false if it cannot be seen whether it has any.
func (f *File) addBranchesBack(e *Exits, fn Func, to Addr) bool {
	if f.beginsFunction(to) { // a tail call under a condition
		return true
	}
	part, ok := f.coldPart(to)
	if !ok || part.Size > maxColdSize {
		return false
	}
	known := true
	err := f.decode(part, func(_ Addr, in inst) bool {
		switch in.flow {
		case flowJumpIndirect:
			known = false
		case flowJump, flowBranch:
			switch {
			case in.target == fn.Addr:
				e.SelfEntry = true
			case in.target > fn.Addr && uint64(in.target-fn.Addr) < fn.Size:
				e.Targets = append(e.Targets, in.target)
			case in.target >= part.Addr && uint64(in.target-part.Addr) < part.Size || f.beginsFunction(in.target):
			default:
				known = false
			}
		}
		return known
	})
	return known && err == nil
}

// coldPart returns the code around a that is moved out of line: by its symbol, or by the unwind tables, which have it on its own.
func (f *File) coldPart(a Addr) (Func, bool) {
	if fn, ok := f.FuncAt(a); ok {
		return fn, fn.Cold()
	}
	frames, err := f.frames()
	if err != nil {
		return Func{}, false
	}
	i := sort.Search(len(frames), func(i int) bool { return frames[i].start > uint64(a) }) - 1
	if i < 0 || uint64(a) >= frames[i].end() {
		return Func{}, false
	}
	return Func{Addr: Addr(frames[i].start), Size: frames[i].size}, true
}
