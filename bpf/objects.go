//go:build linux

package bpf

import (
	"errors"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// Objects are the loaded programs and maps.
type Objects struct {
	OnInstruction *ebpf.Program // for probes on an instruction; see Cookie
	OnReturn      *ebpf.Program // for return probes
	OnSite        *ebpf.Program // for sites with arguments, see AddSite; nil without Options.Sites
	OnCall        *ebpf.Program // for sessions, see SessionCookie; nil without Options.Sessions
	onSample      *ebpf.Program // nil without Options.Samples

	Lanes  []*Lane // events, by CPU
	Rings  []*Ring // larger records, such as events of Go code, by CPU
	Losses *Losses
	Limits *Limits // nil without Options.Limited
	Tasks  *Ring   // what happens to recorded processes, see Task; nil if tasks are not watched
	// Arrivals has the records of processes as well, for a reader that cannot wait for those of
	// Tasks to be put in order. Forks and execs wake it.
	Arrivals *Ring
	// DisplacedErr says why displaced threads are not recorded, nil if they are or should not be.
	DisplacedErr error
	// CountsSockets is set if calls on sockets are counted, see CountSockets.
	CountsSockets bool

	tgids                             *ebpf.Map
	funcLosses                        *ebpf.Map
	unmet                             *ebpf.Map // nil without Options.Sites and Conditions
	enabled                           *ebpf.Variable
	unfollowed                        *ebpf.Variable
	lostTasks, lostArrivals           *ebpf.Variable
	sites                             *ebpf.Map
	numSites                          uint32
	processUses                       *ebpf.Map
	uncountedHits                     *ebpf.Variable
	calibrator, holder, displacedGoid *ebpf.Variable
	reportForks, reportExecs          *ebpf.Variable
	sampling                          *ebpf.Variable
	lostSamples, unplaced             *ebpf.Variable

	threadCalls, openCalls, openArgs, droppedCalls *ebpf.Map // nil without Options.DeferCalls
	uncountedDrops                                 *ebpf.Variable

	closers []interface{ Close() error }
}

func newObjects(coll *ebpf.Collection, o Options) *Objects {
	objs := &Objects{
		OnInstruction: coll.Programs[utraceProgOnInstruction],
		OnReturn:      coll.Programs[utraceProgOnReturn],
		OnSite:        coll.Programs[utraceProgOnSite],
		OnCall:        coll.Programs[utraceProgOnCall],
		onSample:      coll.Programs[utraceProgOnSample],
		sites:         coll.Maps[utraceMapSites],
		funcLosses:    coll.Maps[utraceMapFuncLosses],
		tgids:         coll.Maps[utraceMapTgids],
		enabled:       coll.Variables[utraceVarEnabled],
		unfollowed:    coll.Variables[utraceVarUnfollowed],
		lostTasks:     coll.Variables[utraceVarLostTasks],
		lostArrivals:  coll.Variables[utraceVarLostArrivals],
		processUses:   coll.Maps[utraceMapProcessUses],
		uncountedHits: coll.Variables[utraceVarUncountedHits],
		calibrator:    coll.Variables[utraceVarCalibratorTgid],
		holder:        coll.Variables[utraceVarHolderTgid],
		displacedGoid: coll.Variables[utraceVarDisplacedGoid],
		reportForks:   coll.Variables[utraceVarReportForks],
		reportExecs:   coll.Variables[utraceVarReportExecs],
		sampling:      coll.Variables[utraceVarSampling],
		lostSamples:   coll.Variables[utraceVarLostSamples],
		unplaced:      coll.Variables[utraceVarUnplacedSamples],
	}
	if o.Conditions {
		objs.unmet = coll.Maps[utraceMapUnmet]
	}
	if o.DeferCalls {
		objs.threadCalls = coll.Maps[utraceMapThreadCalls]
		objs.openCalls = coll.Maps[utraceMapOpenCalls]
		objs.openArgs = coll.Maps[utraceMapOpenArgs]
		objs.droppedCalls = coll.Maps[utraceMapDroppedCalls]
		objs.uncountedDrops = coll.Variables[utraceVarUncountedDrops]
	}
	for _, m := range coll.Maps {
		objs.closers = append(objs.closers, m)
	}
	for _, prog := range coll.Programs {
		objs.closers = append(objs.closers, prog)
	}
	return objs
}

// attachTracepoint attaches a program to the tracepoint of its section, until Close.
func (o *Objects) attachTracepoint(prog *ebpf.Program) error {
	l, err := link.AttachTracing(link.TracingOptions{Program: prog, AttachType: ebpf.AttachTraceRawTp})
	if err == nil {
		o.closers = append(o.closers, l)
	}
	return err
}

// Enable turns recording on or off.
func (o *Objects) Enable(on bool) error {
	var v uint8
	if on {
		v = 1
	}
	return o.enabled.Set(v)
}

// Close frees everything. Lanes, Rings and Losses must not be used any more.
func (o *Objects) Close() error {
	for _, r := range o.Rings {
		r.close()
	}
	o.Rings = nil
	for _, r := range []*Ring{o.Tasks, o.Arrivals} {
		if r != nil {
			r.close()
		}
	}
	o.Tasks, o.Arrivals = nil, nil
	var errs []error
	for _, c := range slices.Backward(o.closers) {
		errs = append(errs, c.Close())
	}
	o.closers = nil
	return errors.Join(errs...)
}
