//go:build linux

package record

import (
	"utrace/bpf"
	"utrace/format"
	"utrace/record/plan"
)

// maxTries is how many rounds an event waits for the record with the name of its function. That
// record was written before the event, but to the ring of another CPU.
const maxTries = 5

// heldName is a record with the name of a function.
type heldName struct {
	fn     format.FuncID // number in records
	values bpf.Values
}

// hold keeps the values or the function name in a record until its event is released. It reports
// whether there is an event.
func (d *drainer) hold(e *heldEvent, rec []byte) bool {
	var v bpf.Values
	if !v.DecodeValues(rec) {
		return true
	}
	v = v.Clone()
	switch {
	case v.NameOnly:
		d.names = append(d.names, heldName{e.Func, v})
		return false
	case v.Name != 0 && e.Kind == format.Return: // it has the line of the end; the entry was not seen
		e.tries = maxTries
	case v.Name != 0:
		d.names = append(d.names, heldName{e.Func, v})
	default:
		d.holdValues(e, v)
	}
	return true
}

func (d *drainer) holdValues(e *heldEvent, v bpf.Values) {
	if n := len(d.unused); n > 0 {
		at := d.unused[n-1]
		d.unused = d.unused[:n-1]
		d.values[at-1] = v
		e.values = at
		return
	}
	d.values = append(d.values, v)
	e.values = uint32(len(d.values))
}

// holdCall holds the entry of a call that is still open. A thread's entries must come in order.
func (d *drainer) holdCall(call *bpf.OpenCall) {
	e := heldEvent{Event: call.Event}
	if call.Values != nil {
		d.holdValues(&e, call.Values.Clone())
	}
	d.held = append(d.held, e)
}

// releaseValues hands an event with values, with a name, or on a track to the writer.
func (d *drainer) releaseStatic(e *heldEvent, fn *probedFunc, before uint64) error {
	out := format.Event{TimeNs: sinceStart(e.TimeNs, d.startNs), SP: e.SP, Func: fn.id, CPU: e.cpu, Kind: e.Kind}
	args := ""
	if e.Named {
		id, ok := d.catalog.function(e.Func, e.Value)
		if !ok && e.tries < maxTries && before != untilEnd {
			late := *e
			late.tries++
			d.late = append(d.late, late)
			return nil
		}
		if ok {
			out.Func = id
		}
	}
	if e.values != 0 {
		args = d.encode(e, fn.planned, &d.values[e.values-1])
		d.unused = append(d.unused, e.values)
	}
	if fn.planned.Keyed {
		if track := d.tracks.track(e, e.Func); track > 0 {
			out.Thread = d.threads.track(e.PID, e.TID, track)
			return d.appendStatic(&out, args)
		}
	}
	if e.GoID != 0 {
		out.SP = goStackTop - e.SP
	}
	if !e.Named && fn.planned.USDT == "" { // a function
		switch {
		case e.Kind == format.Return:
			out.Value = e.Value
		case e.Kind.IsEntry():
			out.Value = d.stackOf(e)
		}
	}
	out.Thread = d.threads.id(e.PID, e.TID, e.GoID, e.TimeNs)
	return d.appendStatic(&out, args)
}

func (d *drainer) appendStatic(e *format.Event, args string) error {
	if args == "" {
		return d.w.Append(e)
	}
	return d.w.AppendArgs(e, args)
}

// encode returns the JSON of an event's values, "" for none.
func (d *drainer) encode(e *heldEvent, fn *plan.Func, v *bpf.Values) string {
	args := fn.Args
	if e.Kind == format.Return || e.Kind == format.DroppedReturn {
		args = fn.Results
	}
	d.json = appendValues(d.json[:0], args, v)
	if len(d.json) <= len("[]") {
		return ""
	}
	return string(d.json)
}

// tracks puts spans that run at the same time onto tracks 1, 2, 3 … of their process. Tracks of a
// process that has ended are forgotten (drainer.settle), because another one may get its PID.
type tracks map[uint32]*processTracks // by PID

type processTracks struct {
	open map[trackKey]int
	busy []bool // by track, from 1
}

// trackKey identifies a span by what its beginning and its end share.
type trackKey struct {
	fn  format.FuncID // number in records
	key uint64
}

// maxTracks limits the simultaneous spans of a process.
const maxTracks = 1 << 16

// track returns the track of a span that begins or ends; 0 for an end whose beginning was not seen.
func (l tracks) track(e *heldEvent, fn format.FuncID) int {
	p := l[e.PID]
	if p == nil {
		p = &processTracks{open: map[trackKey]int{}, busy: []bool{true}}
		l[e.PID] = p
	}
	key := trackKey{fn, e.Value}
	n, open := p.open[key]
	if e.Kind == format.Return {
		if open {
			delete(p.open, key)
			p.busy[n] = false
		}
		return n
	}
	if open { // it begins again: its end was not seen
		return n
	}
	for n = 1; n < len(p.busy) && p.busy[n]; n++ {
	}
	switch {
	case n >= maxTracks:
		return 0
	case n == len(p.busy):
		p.busy = append(p.busy, true)
	}
	p.busy[n], p.open[key] = true, n
	return n
}
