package analyze

import "utrace/format"

// known is what a trace has defined up to some batch: its tables only ever grow at their ends.
type known struct {
	funcs  []format.Func
	off    []format.TakenOff
	raw    bool                 // times are to be as measured
	costs  []format.Calibration // none then
	losses []format.Loss
}

// known returns what is defined so far.
func (s *source) known(opts *Options) *known {
	k := known{raw: opts.Raw, funcs: s.tables.Funcs, off: s.tables.TakenOff, losses: s.tables.Losses}
	if !k.raw {
		k.costs = s.tables.Calibrations
	}
	return &k
}

// learn takes note of what is known ahead of the next rows, what already was included.
func (p *pairer) learn(k *known) {
	p.define(k.funcs)
	p.offs.add(k.off, k.funcs)
	p.raw = k.raw
	p.costs.calibrate(k.costs)
	p.losses.add(k.losses)
	p.schedLosses.add(k.losses)
}

// define makes functions known, those that are already included.
func (p *pairer) define(funcs []format.Func) {
	for _, f := range funcs[len(p.noReturn):] {
		p.noReturn = append(p.noReturn, f.NoReturn)
		p.static = append(p.static, p.staticID(f.Static))
	}
	p.funcs = funcs
	p.costs.define(funcs)
	p.view.define(funcs)
}
