package analyze

import (
	"utrace/analyze/internal/windows"
	"utrace/format"
)

// definitions are what a trace has defined up to some batch. Its tables only grow, at their ends.
type definitions struct {
	funcs  []format.Func
	cover  *windows.Coverage    // of the whole trace
	raw    bool                 // times are to be as measured
	costs  []format.Calibration // none if raw
	losses []format.Loss
	gaps   []int64 // see source.gapTimes
}

// defined returns what is defined so far. raw leaves out the cost of probes.
func (s *source) defined(raw bool) *definitions {
	d := definitions{raw: raw, funcs: s.tables.Funcs, cover: s.cover, losses: s.tables.Losses, gaps: s.gapTimes}
	if !d.raw {
		d.costs = s.tables.Calibrations
	}
	return &d
}

// learn adds all definitions ahead of the next rows. It skips known ones.
func (p *pairer) learn(d *definitions) {
	p.cover = d.cover
	p.define(d.funcs)
	p.raw = d.raw
	p.costs.calibrate(d.costs)
	p.losses.add(d.losses)
	p.schedLosses.add(d.losses)
	p.gaps = d.gaps
}

// define adds all functions. It skips known ones.
func (p *pairer) define(funcs []format.Func) {
	p.costs.define(funcs)
	for i := len(p.funcs); i < len(funcs); i++ {
		f := &funcs[i]
		p.funcs = append(p.funcs, pairedFunc{
			class: uint32(p.costs.funcs[i]), usdt: p.usdtID(f.USDT), noReturn: f.NoReturn,
			trampoline: f.USDT == "" && !f.NoReturn && (f.ReturnClass == "trampoline" || f.ReturnClass == ""),
		})
	}
	p.view.define(funcs)
}
