//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"utrace/format"
)

// Options are fixed when the programs are loaded.
type Options struct {
	RingBytes int    // of each CPU's lane, and of its ring: a power of two and a multiple of the page size
	Funcs     int    // how many functions there can be; the losses of further ones are counted, but not by function
	TGIDs     []int  // record only these processes; empty: all but this one
	Follow    bool   // record the children of TGIDs, too, from their first instruction
	Method    Method // how the programs will be attached; not Auto
	Sites     int    // how many sites with arguments there can be
	// Conditions are of some sites: the hits that do not meet them are counted, see Unmet.
	Conditions bool
	Stacks     bool // record the stack of callers at entries, see Stack
	Limited    bool // count the hits of each function in each process, see Hits
	NoTasks    bool // do not watch what happens to tasks
	Sched      bool // record when threads that have had an event leave a CPU, run again and are woken
	// FollowCalls follows calls from their entry to their return, where conditions are decided at the return: all
	// sites of functions must be SiteFollowed. What is written late would come behind rows of the scheduler: there are none.
	FollowCalls bool
}

// Objects are the loaded programs and maps.
type Objects struct {
	OnInstruction *ebpf.Program // for probes on an instruction; see Cookie
	OnReturn      *ebpf.Program // for returns
	OnSite        *ebpf.Program // for sites with arguments, see AddSite; nil without Options.Sites

	Lanes  []*Lane // events, by CPU
	Rings  []*Ring // larger records, such as events of Go code, by CPU
	Losses *Losses
	Tasks  *Ring // what happens to recorded processes, see Task; nil where the kernel does not tell
	// Undisplaced is why it is not told where the recorder takes the place of threads, nil if it is or was not to be.
	Undisplaced error

	tgids                     *ebpf.Map
	funcLosses                *ebpf.Map
	unmet                     *ebpf.Map // nil without Options.Sites and Conditions
	enabled                   *ebpf.Variable
	unfollowed                *ebpf.Variable
	lostTasks                 *ebpf.Variable
	sites                     *ebpf.Map
	numSites                  uint32
	hits                      *ebpf.Map
	takenOff                  *ebpf.Map
	uncounted                 *ebpf.Variable
	calibrator, displacedGoid *ebpf.Variable

	threadsCalls, openCalls, openArgs, dropped *ebpf.Map // nil unless calls are followed
	uncountedDrops                             *ebpf.Variable
	closers                                    []interface{ Close() error }
}

// Load loads the programs, disabled. An error of the verifier is wrapped. What
// happens to tasks is watched from then on: that needs BTF of the running kernel, without
// which there are no Tasks, and to Follow or to record Sched is ErrUnsupported.
func Load(o Options) (_ *Objects, err error) {
	spec, err := loadUtrace()
	if err != nil {
		return nil, err
	}
	if o.Method == Perf {
		for _, prog := range spec.Programs {
			if prog.Type == ebpf.Kprobe {
				prog.AttachType = ebpf.AttachNone
			}
		}
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, fmt.Errorf("count CPUs: %w", err)
	}
	ring := spec.Maps[utraceMapRings].InnerMap
	ring.MaxEntries = uint32(o.RingBytes)
	spec.Maps[utraceMapRings].MaxEntries = uint32(cpus)
	spec.Maps[utraceMapFuncLosses].MaxEntries = uint32(max(1, o.Funcs))
	room := o.RingBytes / recordBytes
	if room*cpus > math.MaxInt32 {
		return nil, fmt.Errorf("rings of %d bytes are too large for %d CPUs", o.RingBytes, cpus)
	}
	spec.Maps[utraceMapEvents].MaxEntries = uint32(room * cpus)
	spec.Maps[utraceMapLanes].MaxEntries = uint32(cpus)
	spec.Maps[utraceMapLosses].MaxEntries = uint32(cpus)
	only := 0
	if len(o.TGIDs) == 1 && !o.Follow {
		only = o.TGIDs[0]
	}
	if err := errors.Join(
		spec.Variables[utraceVarOnlyTgid].Set(uint32(only)),
		spec.Variables[utraceVarLaneEvents].Set(uint32(room)),
		spec.Variables[utraceVarOwnTgid].Set(uint32(os.Getpid())),
		spec.Variables[utraceVarFilterTgids].Set(uint8(min(1, len(o.TGIDs)))),
	); err != nil {
		return nil, err
	}

	if err := prepareSites(spec, o, cpus); err != nil {
		return nil, err
	}
	if err := errors.Join(prepareCalls(spec, o), prepareLimit(spec, o)); err != nil {
		return nil, err
	}
	if err := prepareStacks(spec, o.Stacks); err != nil {
		return nil, err
	}
	if err := prepareSched(spec, o.Sched); err != nil {
		return nil, err
	}
	tasks := !o.NoTasks
	kernel, err := btf.LoadKernelSpec()
	if err == nil {
		if err := spec.Variables[utraceVarTlsOffset].Set(tlsOffset(kernel)); err != nil {
			return nil, err
		}
	}
	if err != nil || !tasks {
		if o.Follow && tasks {
			return nil, fmt.Errorf("%w: children cannot be followed without BTF of the kernel (CONFIG_DEBUG_INFO_BTF): %w", ErrUnsupported, err)
		}
		if o.Sched {
			return nil, fmt.Errorf("%w: switches of threads cannot be recorded without BTF of the kernel (CONFIG_DEBUG_INFO_BTF): %w", ErrUnsupported, err)
		}
		tasks = false
		for _, tp := range taskProbes() {
			delete(spec.Programs, tp.program)
		}
	}
	displacing := tasks && !o.FollowCalls
	prepareDisplaced(spec, displacing, cpus)
	if tasks {
		if err := spec.Variables[utraceVarEndsTold].Set(uint8(1)); err != nil {
			return nil, err
		}
	}
	coll, err := newCollection(spec)
	var undisplaced error
	if err != nil && displacing { // a recording can do without that
		prepareDisplaced(spec, false, cpus)
		if other, otherErr := newCollection(spec); otherErr == nil {
			coll, undisplaced, err, displacing = other, err, nil, false
		}
	}
	if err != nil {
		return nil, fmt.Errorf("load BPF programs: %w", err)
	}
	objs := &Objects{
		OnInstruction: coll.Programs[utraceProgOnInstruction],
		OnReturn:      coll.Programs[utraceProgOnReturn],
		OnSite:        coll.Programs[utraceProgOnSite],
		sites:         coll.Maps[utraceMapSites],
		funcLosses:    coll.Maps[utraceMapFuncLosses],
		unmet:         coll.Maps[utraceMapUnmet],
		tgids:         coll.Maps[utraceMapTgids],
		enabled:       coll.Variables[utraceVarEnabled],
		unfollowed:    coll.Variables[utraceVarUnfollowed],
		lostTasks:     coll.Variables[utraceVarLostTasks],
		hits:          coll.Maps[utraceMapHits],
		takenOff:      coll.Maps[utraceMapTakenOff],
		uncounted:     coll.Variables[utraceVarUncounted],
		calibrator:    coll.Variables[utraceVarCalibratorTgid],
		displacedGoid: coll.Variables[utraceVarDisplacedGoid],
		Undisplaced:   undisplaced,
	}
	if !o.Conditions {
		objs.unmet = nil
	}
	if o.FollowCalls {
		objs.threadsCalls, objs.openCalls = coll.Maps[utraceMapThreadsCalls], coll.Maps[utraceMapOpenCalls]
		objs.openArgs, objs.dropped = coll.Maps[utraceMapOpenArgs], coll.Maps[utraceMapDropped]
		objs.uncountedDrops = coll.Variables[utraceVarUncountedDrops]
	}
	for _, m := range coll.Maps {
		objs.closers = append(objs.closers, m)
	}
	for _, prog := range coll.Programs {
		objs.closers = append(objs.closers, prog)
	}
	defer func() {
		if err != nil {
			objs.Close()
		}
	}()
	if tasks {
		if objs.Tasks, err = newRing(coll.Maps[utraceMapTasks]); err != nil {
			return nil, err
		}
		for _, tp := range taskProbes() {
			if tp.program == utraceProgOnFork && !o.Follow || coll.Programs[tp.program] == nil {
				continue
			}
			l, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: tp.name, Program: coll.Programs[tp.program]})
			if err != nil {
				return nil, fmt.Errorf("attach to tracepoint %s: %w", tp.name, err)
			}
			objs.closers = append(objs.closers, l)
		}
	}
	if displacing { // ahead of the other programs there: that a thread was displaced is part of a wait that is not over
		objs.Undisplaced = objs.watchDisplaced(coll)
	}
	if o.Sched {
		if err := objs.watchSched(coll); err != nil {
			return nil, err
		}
	}
	for _, tgid := range o.TGIDs {
		if err := objs.Follow(tgid); err != nil {
			return nil, err
		}
	}
	if err := objs.newLanes(coll, cpus); err != nil {
		return nil, err
	}
	for cpu := range cpus {
		m, err := ebpf.NewMap(ring)
		if err != nil {
			return nil, fmt.Errorf("ring of %d bytes for CPU %d: %w", o.RingBytes, cpu, err)
		}
		objs.closers = append(objs.closers, m)
		if err := coll.Maps[utraceMapRings].Put(uint32(cpu), m); err != nil {
			return nil, fmt.Errorf("ring for CPU %d: %w", cpu, err)
		}
		r, err := newRing(m)
		if err != nil {
			return nil, err
		}
		objs.Rings = append(objs.Rings, r)
	}
	return objs, nil
}

// newCollection loads the programs; that for sites with arguments as one that may sleep, if the kernel
// can have that (uprobes: Linux 6.0).
func newCollection(spec *ebpf.CollectionSpec) (*ebpf.Collection, error) {
	if spec.Programs[utraceProgOnSite] == nil {
		return ebpf.NewCollection(spec)
	}
	sleeping := spec.Copy()
	sleeping.Programs[utraceProgOnSite].Flags |= unix.BPF_F_SLEEPABLE
	if err := sleeping.Variables[utraceVarMayFault].Set(uint8(1)); err != nil {
		return nil, err
	}
	coll, err := ebpf.NewCollection(sleeping)
	if err == nil {
		return coll, nil
	}
	// Since Linux 6.17 it may sleep or not be loaded at all: then this error is the one that tells.
	if coll, other := ebpf.NewCollection(spec); other == nil {
		return coll, nil
	}
	return nil, err
}

// tlsOffset returns where in a task of the kernel it says from where a thread's own variables are counted, 0 if that is not
// known: thread.fsbase on x86-64 (arch/x86/include/asm/processor.h).
func tlsOffset(kernel *btf.Spec) uint32 {
	var task *btf.Struct
	if runtime.GOARCH != "amd64" || kernel.TypeByName("task_struct", &task) != nil {
		return 0
	}
	for _, m := range task.Members {
		thread, ok := btf.UnderlyingType(m.Type).(*btf.Struct)
		if m.Name != "thread" || !ok {
			continue
		}
		for _, base := range thread.Members {
			if base.Name == "fsbase" {
				return m.Offset.Bytes() + base.Offset.Bytes()
			}
		}
	}
	return 0
}

// scratchesPerCPU is SCRATCHES of site.h.
const scratchesPerCPU = 4

// maxUnmet is how many functions have their hits counted that do not meet a condition: 16 bytes each, on each CPU that there may be.
// Conditions are of functions that somebody has named, which are few.
const maxUnmet = 1 << 12

// prepareSites makes room for sites, or leaves out what only they need.
func prepareSites(spec *ebpf.CollectionSpec, o Options, cpus int) error {
	if o.Sites == 0 {
		delete(spec.Programs, utraceProgOnSite)
		for _, name := range []string{utraceMapSites, utraceMapScratches, utraceMapNames, utraceMapGates, utraceMapNoGate, utraceMapKeptCalls, utraceMapEntryPlaces, utraceMapUnmet} {
			delete(spec.Maps, name)
		}
		return nil
	}
	spec.Maps[utraceMapSites].MaxEntries = uint32(o.Sites)
	if o.Conditions {
		spec.Maps[utraceMapUnmet].MaxEntries = uint32(min(max(1, o.Funcs), maxUnmet))
	}
	spec.Maps[utraceMapScratches].MaxEntries = uint32(cpus * scratchesPerCPU)
	return spec.Variables[utraceVarNameSeed].Set(rand.Uint64())
}

// taskProbe is a program that watches tasks, and its tracepoint: raw ones, which
// need no tracefs to be mounted.
type taskProbe struct{ program, name string }

func taskProbes() []taskProbe {
	return []taskProbe{
		{utraceProgOnExecCalls, "sched_process_exec"}, // ahead of those that tell of the thread's end
		{utraceProgOnExitCalls, "sched_process_exit"},
		{utraceProgOnFork, "sched_process_fork"},
		{utraceProgOnExec, "sched_process_exec"},
		{utraceProgOnExit, "sched_process_exit"},
	}
}

// Follow puts a process on the list of those recorded.
func (o *Objects) Follow(tgid int) error {
	if err := o.tgids.Put(uint32(tgid), uint8(1)); err != nil {
		return fmt.Errorf("filter of processes: %w", err)
	}
	return nil
}

// Unfollow takes a process off the list of those recorded.
func (o *Objects) Unfollow(tgid int) error {
	if err := o.tgids.Delete(uint32(tgid)); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("filter of processes: %w", err)
	}
	return nil
}

// Followed returns the processes that are being recorded, children that have
// been added included, in no order. What the kernel changes meanwhile may show or not.
func (o *Objects) Followed() ([]int, error) {
	var list []int
	var tgid uint32
	var v uint8
	it := o.tgids.Iterate()
	for it.Next(&tgid, &v) {
		list = append(list, int(tgid))
	}
	if err := it.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return nil, fmt.Errorf("filter of processes: %w", err)
	}
	return list, nil
}

// AnyFollowed reports whether a process is left that is being recorded.
func (o *Objects) AnyFollowed() (bool, error) {
	var tgid uint32
	switch err := o.tgids.NextKey(nil, &tgid); {
	case errors.Is(err, ebpf.ErrKeyNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("filter of processes: %w", err)
	}
	return true, nil
}

// TaskLosses returns how many children were not followed, for there were too many
// processes, and how many records the ring of tasks had no room for.
func (o *Objects) TaskLosses() (unfollowed, records uint64, err error) {
	err = errors.Join(o.unfollowed.Get(&unfollowed), o.lostTasks.Get(&records))
	return unfollowed, records, err
}

// Enable turns recording on or off.
func (o *Objects) Enable(on bool) error {
	var v uint8
	if on {
		v = 1
	}
	return o.enabled.Set(v)
}

// FuncLosses returns the functions, of the first n, that have lost events.
func (o *Objects) FuncLosses(n int) ([]format.FuncLoss, error) {
	var list []format.FuncLoss
	for id := range min(n, int(o.funcLosses.MaxEntries())) {
		var c struct{ Entries, Returns uint64 }
		if err := o.funcLosses.Lookup(uint32(id), &c); err != nil {
			return nil, fmt.Errorf("read losses of functions: %w", err)
		}
		if c.Entries+c.Returns > 0 {
			list = append(list, format.FuncLoss{Func: format.FuncID(id), Entries: c.Entries, Returns: c.Returns})
		}
	}
	return list, nil
}

// Unmet returns the functions, of the first n and maxUnmet, that had hits which did not meet a condition on arguments, and the returns of such calls.
func (o *Objects) Unmet(n int) ([]format.FuncLoss, error) {
	if o.unmet == nil {
		return nil, nil
	}
	var list []format.FuncLoss
	for id := range min(n, int(o.unmet.MaxEntries())) {
		var cpus []struct{ Entries, Returns uint64 }
		if err := o.unmet.Lookup(uint32(id), &cpus); err != nil {
			return nil, fmt.Errorf("read what was not kept: %w", err)
		}
		sum := format.FuncLoss{Func: format.FuncID(id)}
		for _, c := range cpus {
			sum.Entries, sum.Returns = sum.Entries+c.Entries, sum.Returns+c.Returns
		}
		if sum.Entries+sum.Returns > 0 {
			list = append(list, sum)
		}
	}
	return list, nil
}

// Close frees everything. Lanes, Rings and Losses must not be used any more.
func (o *Objects) Close() error {
	for _, r := range o.Rings {
		r.close()
	}
	o.Rings = nil
	if o.Tasks != nil {
		o.Tasks.close()
		o.Tasks = nil
	}
	var errs []error
	for _, c := range slices.Backward(o.closers) {
		errs = append(errs, c.Close())
	}
	o.closers = nil
	return errors.Join(errs...)
}
