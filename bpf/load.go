//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// Options are fixed when the programs are loaded.
type Options struct {
	// RingBytes is the size of each CPU's lane, and of its ring: a power of two and a multiple of
	// the page size.
	RingBytes int
	Funcs     int    // how many functions there can be; losses of further ones have no function
	TGIDs     []int  // record only these processes; empty: all but this one, or with Follow none yet
	Follow    bool   // also record the children of recorded processes, from their first instruction
	Method    Method // how the programs will be attached; not Auto
	Sites     int    // how many sites with arguments there can be
	// Conditions is set if sites have conditions: hits that do not meet them are counted, see
	// Unmet.
	Conditions bool
	// Sessions is set if calls can be dropped at their entry: then the kernel leaves their return
	// alone. It needs the feature Sessions, Sites, and the method Multi.
	Sessions bool
	Stacks   bool // record the stack of callers at entries, see Stack
	Samples  bool // make it possible to take samples, see Sample
	Limited  bool // functions can be turned off, and the cost of their hits is counted, see Limits
	NoTasks  bool // do not watch tasks; not with Follow or Sched
	Sched    bool // record when threads that have had an event leave a CPU, run again and are woken
	// DeferCalls lets conditions be decided at the return: the record of an entry is then written
	// late. All sites of functions must be SiteDeferred. Displaced is off: its rows would come
	// before the entries of the calls around them.
	DeferCalls bool
}

// Load loads the programs, disabled, in these steps:
//
//  1. Size the maps, set the variables, and leave out what the options do not need.
//  2. Load programs and maps into the kernel.
//  3. Attach the programs that watch tasks and the scheduler.
//  4. Fill the set of processes, and map lanes, losses and rings.
//
// Tasks are watched from then on. That needs BTF of the running kernel: without it, Tasks is nil,
// and Follow or Sched is ErrUnsupported. An error of the verifier is wrapped.
func Load(o Options) (*Objects, error) {
	l, err := newLoader(o)
	if err != nil {
		return nil, err
	}
	if err := l.prepare(); err != nil {
		return nil, err
	}
	coll, err := l.load()
	if err != nil {
		return nil, fmt.Errorf("load BPF programs: %w", err)
	}
	objs := newObjects(coll, o)
	objs.DisplacedErr = l.displacedErr
	if err := l.attach(objs, coll); err != nil {
		objs.Close()
		return nil, err
	}
	if err := l.fill(objs, coll); err != nil {
		objs.Close()
		return nil, err
	}
	return objs, nil
}

// loader has what the steps of Load share.
type loader struct {
	Options
	spec      *ebpf.CollectionSpec
	cpus      int
	tlsOffset uint32

	btf          bool // the kernel has it
	tasks        bool // watch tasks
	displaced    bool // watch for displaced threads
	displacedErr error
	sockets      bool // count calls on sockets
}

func newLoader(o Options) (*loader, error) {
	spec, err := loadUtrace()
	if err != nil {
		return nil, err
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, fmt.Errorf("count CPUs: %w", err)
	}
	l := &loader{Options: o, spec: spec, cpus: cpus}
	kernel, err := btf.LoadKernelSpec()
	if err == nil {
		l.tlsOffset = tlsOffset(kernel)
	}
	const needs = "BTF of the kernel (CONFIG_DEBUG_INFO_BTF)"
	switch {
	case err != nil && o.Follow && !o.NoTasks:
		return nil, fmt.Errorf("%w: children cannot be followed without %s: %w", ErrUnsupported, needs, err)
	case err != nil && o.Sched:
		return nil, fmt.Errorf("%w: switches of threads cannot be recorded without %s: %w", ErrUnsupported, needs, err)
	}
	l.btf = err == nil
	l.tasks = l.btf && !o.NoTasks
	l.displaced = l.tasks && !o.DeferCalls
	l.sockets = l.tasks && o.Limited && hasSocketTracepoints(kernel)
	return l, nil
}

// prepare sizes maps, sets variables, and leaves out programs and maps that are not needed.
func (l *loader) prepare() error {
	if l.Method == Perf { // which needs no attach type
		for _, prog := range l.spec.Programs {
			if prog.Type == ebpf.Kprobe {
				prog.AttachType = ebpf.AttachNone
			}
		}
	}
	if !l.tasks {
		leaveOutTasks(l.spec)
	}
	prepareDisplaced(l.spec, l.displaced, l.cpus)
	prepareSockets(l.spec, l.sockets)
	return errors.Join(
		prepareLanes(l.spec, l.Options, l.cpus),
		prepareProcesses(l.spec, l.Options),
		prepareSites(l.spec, l.Options, l.cpus, l.tlsOffset),
		prepareCalls(l.spec, l.Options, l.tasks),
		prepareLimit(l.spec, l.Options),
		prepareStacks(l.spec, l.Stacks, l.Samples),
		prepareSamples(l.spec, l.Samples, l.btf),
		prepareSched(l.spec, l.Sched),
	)
}

// load loads programs and maps: if need be without the program that watches for displaced threads,
// which a recording can do without.
func (l *loader) load() (*ebpf.Collection, error) {
	coll, err := loadSleeping(l.spec)
	if err == nil || !l.displaced {
		return coll, err
	}
	prepareDisplaced(l.spec, false, l.cpus)
	coll, otherErr := loadSleeping(l.spec)
	if otherErr != nil {
		return nil, err
	}
	l.displaced, l.displacedErr = false, err
	return coll, nil
}

// loadSleeping loads the programs for sites as sleepable ones if the kernel supports that for
// uprobes (Linux 6.0), and otherwise as plain ones.
func loadSleeping(spec *ebpf.CollectionSpec) (*ebpf.Collection, error) {
	if spec.Programs[utraceProgOnSite] == nil {
		return ebpf.NewCollection(spec)
	}
	sleeping := spec.Copy()
	for _, name := range []string{utraceProgOnSite, utraceProgOnCall} {
		if prog := sleeping.Programs[name]; prog != nil {
			prog.Flags |= unix.BPF_F_SLEEPABLE
		}
	}
	if err := sleeping.Variables[utraceVarMayFault].Set(uint8(1)); err != nil {
		return nil, err
	}
	coll, err := ebpf.NewCollection(sleeping)
	if err == nil {
		return coll, nil
	}
	// Since Linux 6.17 a program that may sleep, or none, can be loaded: then the first error
	// counts.
	if coll, other := ebpf.NewCollection(spec); other == nil {
		return coll, nil
	}
	return nil, err
}

// attach attaches the programs that watch tasks and the scheduler. The program for displaced
// threads comes first at its tracepoint: a displacement belongs to the wait that is about to end.
func (l *loader) attach(objs *Objects, coll *ebpf.Collection) error {
	if l.tasks {
		if err := objs.watchTasks(coll, l.Follow || len(l.TGIDs) == 0); err != nil {
			return err
		}
	}
	if l.displaced {
		objs.DisplacedErr = objs.watchDisplaced(coll)
	}
	if l.sockets {
		objs.watchSockets(coll)
	}
	if l.Sched {
		return objs.watchSched(coll)
	}
	return nil
}

// fill adds the processes, and maps lanes, losses and rings.
func (l *loader) fill(objs *Objects, coll *ebpf.Collection) error {
	for _, tgid := range l.TGIDs {
		if err := objs.AddProcess(tgid); err != nil {
			return err
		}
	}
	if err := objs.mapLanes(coll, l.cpus); err != nil {
		return err
	}
	if err := objs.mapLosses(coll, l.cpus); err != nil {
		return err
	}
	if err := objs.mapLimits(coll, l.Limited); err != nil {
		return err
	}
	return objs.newRings(coll, l.spec, l.cpus)
}

// prepareLanes sizes lanes, rings and the counters of losses.
func prepareLanes(spec *ebpf.CollectionSpec, o Options, cpus int) error {
	room := o.RingBytes / recordBytes
	if room*cpus > math.MaxInt32 {
		return fmt.Errorf("rings of %d bytes are too large for %d CPUs", o.RingBytes, cpus)
	}
	spec.Maps[utraceMapEvents].MaxEntries = uint32(room * cpus)
	spec.Maps[utraceMapLanes].MaxEntries = uint32(cpus)
	spec.Maps[utraceMapRings].MaxEntries = uint32(cpus)
	spec.Maps[utraceMapRings].InnerMap.MaxEntries = uint32(o.RingBytes)
	spec.Maps[utraceMapLosses].MaxEntries = uint32(cpus)
	spec.Maps[utraceMapFuncLosses].MaxEntries = uint32(max(1, o.Funcs))
	return spec.Variables[utraceVarLaneEvents].Set(uint32(room))
}

// prepareProcesses sets which processes are recorded. A single one needs no look at the set.
func prepareProcesses(spec *ebpf.CollectionSpec, o Options) error {
	only, filter := 0, uint8(0)
	if len(o.TGIDs) == 1 && !o.Follow {
		only = o.TGIDs[0]
	}
	if len(o.TGIDs) > 0 || o.Follow {
		filter = 1
	}
	return errors.Join(
		spec.Variables[utraceVarOnlyTgid].Set(uint32(only)),
		spec.Variables[utraceVarOwnTgid].Set(uint32(os.Getpid())),
		spec.Variables[utraceVarFilterTgids].Set(filter),
	)
}
