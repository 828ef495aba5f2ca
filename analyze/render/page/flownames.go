package page

import (
	"utrace/analyze"
	"utrace/format"
)

// flowNames numbers the functions of flows, which are those of a trace.
type flowNames struct {
	names *names
	of    map[flowKey]int
}

// flowKey is what a function of a trace has in common with one of a report.
type flowKey struct {
	name, symbol, usdt, file string
	addr                     uint64
	line                     int
}

// learn adds the functions of rows.
func (f *flowNames) learn(rows []analyze.Row) {
	for i := range rows {
		fn := &rows[i].Function
		f.of[flowKey{fn.Name, fn.Symbol, fn.USDT, fn.File, fn.Addr, fn.Line}] = f.names.of(fn)
	}
}

// number returns the number of a function in the flow of a call. A function that is in no row gets
// a new one, without a module.
func (f *flowNames) number(fn *format.Func) int {
	key := flowKey{fn.Name, fn.Symbol, fn.USDT, fn.File, fn.Addr, fn.Line}
	n, ok := f.of[key]
	if !ok {
		n = f.names.of(&analyze.Function{Name: fn.Name, Symbol: fn.Symbol, USDT: fn.USDT, File: fn.File, Addr: fn.Addr, Line: fn.Line})
		f.of[key] = n
	}
	return n
}
