//go:build linux

package record

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"utrace/format"
)

// costWatch measures what hits cost: when the recording begins, again and again while it lasts, and at its end.
// Without a calibrator it does nothing.
type costWatch struct {
	calibrator *calibrator
	list       []format.Calibration
	quit       chan struct{}
	running    sync.WaitGroup
	err        error // of watching
	closeErr   error
}

// calibrate measures what hits cost here before anything is attached. Where that cannot be, durations will be as measured,
// and a limit goes by what hits typically cost.
func (r *recording) calibrate() {
	w := &r.watch
	var err error
	for range 2 { // a process may be killed by anybody
		if w.calibrator, err = r.newCalibrator(); !errors.Is(err, errEnded) {
			break
		}
	}
	if err == nil {
		err = r.objs.SetCalibrator(w.calibrator.cmd.Process.Pid)
	}
	if err == nil {
		for range firstCalibrations {
			var cal format.Calibration
			if cal, err = w.calibrator.measure(); err != nil {
				break
			}
			w.list = append(w.list, cal)
		}
		w.calibrator.keep(r.usedTests())
	}
	if err != nil {
		w.list = nil
		w.close()
		r.objs.SetCalibrator(0) // another process may get its ID
	}
	switch {
	case r.cfg.MaxOverhead > 0:
		costs := TypicalCosts()
		if err == nil {
			costs = newCosts(w.list)
		} else {
			r.notice("what a hit of a probe costs was not measured: %v; taking what it typically costs", err)
		}
		r.costs = &costs
	case err != nil:
		r.notice("what a hit of a probe costs was not measured: %v; it will not be subtracted from the times", err)
	}
}

// start watches the costs. A definition in the trace tells of each time.
func (w *costWatch) start(r *recording) {
	if w.calibrator == nil {
		return
	}
	w.quit = make(chan struct{})
	w.running.Go(func() {
		for interval := minCalibrate; w.err == nil; interval = min(2*interval, maxCalibrate) {
			select {
			case <-w.quit:
				return
			case <-time.After(interval):
				if w.err = w.once(r); w.err != nil {
					r.objs.SetCalibrator(0)
				}
			}
		}
	})
}

func (w *costWatch) once(r *recording) error {
	c, err := w.calibrator.measure()
	if err == nil {
		w.list = append(w.list, c)
		c.TimeNs = sinceStart(monotonicNs(), uint64(r.start.MonoNs))
		r.drainer.definitions.add(func(catalog *catalog) { catalog.w.AddCalibration(c) })
	}
	return err
}

// stop measures a last time.
func (w *costWatch) stop(r *recording) {
	if w.quit == nil {
		return
	}
	defer w.end()
	close(w.quit)
	w.running.Wait()
	w.quit = nil
	if w.err == nil {
		w.err = w.once(r)
	}
	if w.err != nil {
		r.notice("warning: what a hit of a probe costs was not watched to the end: %v", w.err)
	}
}

// movedFactor is by how much costs must have moved to be worth a warning.
const movedFactor = 1.5

// moved says whether what hits cost has moved while recording, "" if not.
func (w *costWatch) moved() string {
	m := format.NewMoved(w.list)
	if m.Factor() < movedFactor {
		return ""
	}
	return fmt.Sprintf("the cost of the probes of a call moved from %.1f to %.1f us while recording: the machine was not the same all the time",
		float64(m.FromNs)/1e3, float64(m.ToNs)/1e3)
}

// end ends the calibrator's process, while others go on: detaching takes some time.
func (w *costWatch) end() {
	if c := w.calibrator; c != nil {
		w.calibrator = nil
		w.running.Go(func() { w.closeErr = c.close() })
	}
}

// close waits until all has ended.
func (w *costWatch) close() error {
	if w.quit != nil { // an error has cut the recording short
		close(w.quit)
		w.running.Wait()
		w.quit = nil
	}
	w.end()
	w.running.Wait()
	if w.closeErr != nil {
		return fmt.Errorf("detach from the process that measures costs: %w", w.closeErr)
	}
	return nil
}
