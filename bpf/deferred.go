//go:build linux

package bpf

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"utrace/format"
)

// prepareCalls makes room for deferred calls, or leaves it out. watched reports whether tasks are
// watched.
func prepareCalls(spec *ebpf.CollectionSpec, o Options, watched bool) error {
	maps := []string{utraceMapThreadCalls, utraceMapOpenCalls, utraceMapOpenArgs, utraceMapDroppedCalls}
	if o.Sites == 0 {
		for _, name := range maps {
			delete(spec.Maps, name)
		}
	}
	if o.Sites == 0 || !o.DeferCalls {
		delete(spec.Programs, utraceProgOnExecCalls)
		delete(spec.Programs, utraceProgOnExitCalls)
		for _, name := range maps {
			if m := spec.Maps[name]; m != nil {
				m.MaxEntries = 1
			}
		}
		return nil
	}
	const minDropped = 1 << 16
	spec.Maps[utraceMapDroppedCalls].MaxEntries = uint32(max(minDropped, 4*o.Funcs))
	if watched {
		if err := spec.Variables[utraceVarWatchesEnds].Set(uint8(1)); err != nil {
			return err
		}
	}
	return spec.Variables[utraceVarDeferCalls].Set(uint8(1))
}

// Dropped is struct dropped_calls of types.h: the calls of a function in a process that a condition
// has dropped.
type Dropped struct {
	Func       format.FuncID
	TGID       uint32
	Name       uint64 // number of the function's name, 0 for its own
	Complete   uint64
	Incomplete uint64 // without a return
	SumNs      uint64 // of the complete calls
	TotalNs    uint64 // without calls inside another call of the function
	SelfNs     uint64 // without the calls in them
	InsideNs   uint64 // of dropped calls made directly by this function's kept calls
}

// droppedKey is struct dropped_key of types.h.
type droppedKey struct {
	Name       uint64
	Func, TGID uint32
}

// droppedCalls is struct dropped_calls of types.h.
type droppedCalls struct{ Complete, Incomplete, SumNs, TotalNs, SelfNs, InsideNs uint64 }

// Dropped returns what was dropped so far, and how many calls there was no room to count.
func (o *Objects) Dropped() (list []Dropped, uncounted uint64, err error) {
	if o.droppedCalls == nil {
		return nil, 0, nil
	}
	var key droppedKey
	var v droppedCalls
	it := o.droppedCalls.Iterate()
	for it.Next(&key, &v) {
		list = append(list, Dropped{
			Func: format.FuncID(key.Func), TGID: key.TGID, Name: key.Name,
			Complete: v.Complete, Incomplete: v.Incomplete,
			SumNs: v.SumNs, TotalNs: v.TotalNs, SelfNs: v.SelfNs, InsideNs: v.InsideNs,
		})
	}
	return list, uncounted, errors.Join(it.Err(), o.uncountedDrops.Get(&uncounted))
}

// OpenCall is a call whose entry is not written: it was not decided yet whether the call is kept.
type OpenCall struct {
	Event
	Depth  uint32  // how many open calls of the thread are around it
	Held   uint16  // mask of the entry's comparisons that held
	Values *Values // of its entry; nil if it has none
}

// callKey is struct call_key of types.h.
type callKey struct {
	Thread      uint64
	TGID, Depth uint32
}

// openCall is struct open_call of types.h.
type openCall struct {
	SP, Name, Stack, TimeNs, ChildNs, DroppedNs, Below, GoID uint64
	Func, TID, Site                                          uint32
	Held                                                     uint16
	Kind, State, Args                                        uint8
	_                                                        [7]uint8
}

// Of enum call_state of types.h.
const callUndecided = 0

// goStackTop is GO_STACK_TOP of types.h.
const goStackTop = 1 << 40

// OpenCalls returns the undecided calls, those of a thread in no order. Recording must be off.
func (o *Objects) OpenCalls() ([]OpenCall, error) {
	if o.openCalls == nil {
		return nil, nil
	}
	threads, err := o.readThreads()
	if err != nil {
		return nil, err
	}
	var list []OpenCall
	var key callKey
	var v openCall
	it := o.openCalls.Iterate()
	for it.Next(&key, &v) {
		t, ok := threads[threadKey{Thread: key.Thread, TGID: key.TGID}]
		if !ok || v.State != callUndecided || key.Depth < t.Written || key.Depth >= t.Depth {
			continue
		}
		c := v.call(key)
		if v.Args != 0 {
			if c.Values, err = o.openValues(key); err != nil {
				return nil, err
			}
		}
		list = append(list, c)
	}
	return list, it.Err()
}

func (v *openCall) call(key callKey) OpenCall {
	c := OpenCall{Depth: key.Depth, Held: v.Held, Event: Event{
		Kind: format.Kind(v.Kind), Named: v.Name != 0, Func: format.FuncID(v.Func),
		TimeNs: v.TimeNs, SP: v.SP, Value: cmp.Or(v.Name, v.Stack),
		PID: key.TGID, TID: v.TID, GoID: v.GoID,
	}}
	if v.GoID != 0 {
		c.SP = goStackTop - v.SP
	}
	return c
}

// openValues returns the values of an open call, nil if they cannot be read.
func (o *Objects) openValues(key callKey) (*Values, error) {
	var b bytes.Buffer
	if err := binary.Write(&b, binary.NativeEndian, &key); err != nil {
		return nil, err
	}
	rec, err := o.openArgs.LookupBytes(b.Bytes())
	if err != nil {
		return nil, fmt.Errorf("values of an open call: %w", err)
	}
	if v := new(Values); rec != nil && v.DecodeValues(rec) {
		return v, nil
	}
	return nil, nil
}

// threadKey is struct thread_key of types.h.
type threadKey struct {
	Thread uint64
	TGID   uint32
	_      uint32
}

// threadCalls is struct thread_calls of types.h.
type threadCalls struct{ Depth, Written uint32 }

func (o *Objects) readThreads() (map[threadKey]threadCalls, error) {
	threads := map[threadKey]threadCalls{}
	var key threadKey
	var v threadCalls
	it := o.threadCalls.Iterate()
	for it.Next(&key, &v) {
		threads[key] = v
	}
	return threads, it.Err()
}
