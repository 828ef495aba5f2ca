//go:build linux

package record

import (
	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/clock"
	"utrace/record/plan"
)

// maxNameTries is how many rounds an event waits for the record with the name of its function. That
// record was written before the event, but to the ring of another CPU.
const maxNameTries = 5

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
		e.tries = maxNameTries
	case v.Name != 0:
		d.names = append(d.names, heldName{e.Func, v})
	default:
		d.holdValues(e, v)
	}
	return true
}

func (d *drainer) holdValues(e *heldEvent, v bpf.Values) {
	if n := len(d.freeValues); n > 0 {
		at := d.freeValues[n-1]
		d.freeValues = d.freeValues[:n-1]
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
func (d *drainer) releaseValues(e *heldEvent, fn *probedFunc, before uint64) error {
	out := format.Event{TimeNs: clock.SinceStart(e.TimeNs, d.startNs), SP: e.SP, Func: fn.id, CPU: e.cpu, Kind: e.Kind}
	args := ""
	if e.Named {
		id, ok := d.catalog.function(e.Func, e.Value)
		if !ok && e.tries < maxNameTries && before != untilEnd {
			late := *e
			late.tries++
			d.waiting = append(d.waiting, late)
			return nil
		}
		if ok {
			out.Func = id
		}
	}
	if e.values != 0 {
		args = d.encode(e, fn.planned, &d.values[e.values-1])
		d.freeValues = append(d.freeValues, e.values)
	}
	if fn.planned.Keyed {
		if track := d.tracks.track(e, e.Func); track > 0 {
			out.Thread = d.threads.Track(e.PID, e.TID, track)
			return d.appendEvent(&out, args)
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
	out.Thread = d.threads.ID(e.PID, e.TID, e.GoID, e.TimeNs)
	return d.appendEvent(&out, args)
}

func (d *drainer) appendEvent(e *format.Event, args string) error {
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
