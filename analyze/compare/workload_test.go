package compare

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"utrace/format"
)

// workload makes traces of a program that calls each of its functions in turn.
type workload struct {
	funcs  int
	rounds int
	factor func(fn int) float64 // of a function's duration; nil for 1
	seed   uint64
	keep   time.Duration // shorter calls are dropped
	lasts  []float64     // minimum ns of a call, by function; nil for 10 us, 20 us and so on
	inside int64         // calibrated ns of the probes in each call; 0 for no calibration
	probes float64       // true ns of the probes in each call
	stop   time.Duration // when the recording ends; 0 for with the last call
}

func (wl *workload) write(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := format.NewWriter(f, format.Meta{SlowerThanNs: int64(wl.keep)})
	if err != nil {
		t.Fatal(err)
	}
	m := w.AddModule(format.Module{Path: "/bin/app"})
	for i := range wl.funcs {
		w.AddFunc(format.Func{Name: fmt.Sprint("f", i), Module: m, Addr: uint64(i), EntryClass: "nop5", ReturnClass: "trampoline"})
	}
	if wl.inside > 0 {
		w.AddCalibration(format.Calibration{Sites: []format.SiteCost{
			{Entry: "nop5", Return: "trampoline", EntryNs: wl.inside, InsideNs: wl.inside, CallNs: wl.inside},
		}})
	}
	w.AddThread(format.Thread{PID: 1, TID: 1})
	rng := rand.New(rand.NewPCG(wl.seed, 1))
	now := 0.0
	append := func(kind format.Kind, fn int) {
		e := format.Event{TimeNs: uint64(now), SP: 0x7000, Func: format.FuncID(fn), Kind: kind}
		if err := w.Append(&e); err != nil {
			t.Fatal(err)
		}
	}
	dropped := make([]format.Dropped, wl.funcs)
	for range wl.rounds {
		for fn := range wl.funcs {
			d := float64(10_000 * (fn + 1))
			if wl.lasts != nil {
				d = wl.lasts[fn]
			}
			d *= 1 + 0.1*rng.ExpFloat64()
			if wl.factor != nil {
				d *= wl.factor(fn)
			}
			d += wl.probes
			if d < float64(wl.keep) {
				now += d
				sum := &dropped[fn]
				sum.Complete++
				sum.SumNs += uint64(d)
				continue
			}
			append(format.Entry, fn)
			now += d
			append(format.Return, fn)
		}
	}
	for fn, d := range dropped {
		if d.Complete > 0 {
			d.Func, d.PID, d.TotalNs, d.SelfNs = format.FuncID(fn), 1, d.SumNs, d.SumNs
			w.AddDropped(d)
		}
	}
	stop := max(int64(now), int64(wl.stop))
	if err := w.Close(format.End{Stop: format.Anchor{MonoNs: stop}}); err != nil {
		t.Fatal(err)
	}
	return path
}

func slower(fn int, factor float64) func(int) float64 {
	return func(f int) float64 {
		if f == fn {
			return factor
		}
		return 1
	}
}
