//go:build linux

package record

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/clock"
)

// costWatch measures the cost of hits: when the recording begins, at intervals while it lasts, and
// at its end. Without a calibrator it does nothing.
type costWatch struct {
	objs        *bpf.Objects // of the recording
	definitions *definitions
	notice      func(text string, args ...any)
	startNs     uint64 // CLOCK_MONOTONIC of the trace's time 0

	// scale, unless nil, gets the cost of hits as a multiple of that at the beginning, each time it
	// has changed by a tenth.
	scale  func(factor float64)
	scaled float64 // the last multiple that it got

	calibrator *calibrator
	list       []format.Calibration
	quit       chan struct{}
	running    sync.WaitGroup
	err        error // of watching
	closeErr   error
}

// begin measures the cost of hits before anything is attached, and returns the costs that the
// overhead limit uses. If measuring fails, these are typical costs, and durations will be as
// measured. Only the tests in later are repeated afterwards.
func (w *costWatch) begin(cfg calibratorConfig, later []calibrationTest) Costs {
	err := w.measureFirst(cfg, later)
	if err == nil {
		return newCosts(w.list)
	}
	w.list = nil
	w.close()
	w.objs.SetCalibrator(0) // another process may get its ID
	if cfg.limited {
		w.notice("the cost of a probe hit was not measured: %v; using typical costs", err)
	} else {
		w.notice("the cost of a probe hit was not measured: %v; it will not be subtracted from the times", err)
	}
	return TypicalCosts()
}

func (w *costWatch) measureFirst(cfg calibratorConfig, later []calibrationTest) (err error) {
	for range 2 { // anybody may kill a process
		if w.calibrator, err = newCalibrator(cfg); !errors.Is(err, errEnded) {
			break
		}
	}
	if err != nil {
		return err
	}
	if err := w.objs.SetCalibrator(w.calibrator.cmd.Process.Pid); err != nil {
		return err
	}
	for range firstCalibrations {
		cal, err := w.calibrator.measure()
		if err != nil {
			return err
		}
		w.list = append(w.list, cal)
	}
	w.calibrator.keepOnly(later)
	return nil
}

// watch measures the costs until stop. Each result becomes a definition in the trace, which begins
// at startNs.
func (w *costWatch) watch(startNs uint64) {
	if w.calibrator == nil {
		return
	}
	w.startNs, w.scaled = startNs, 1
	w.quit = make(chan struct{})
	w.running.Go(func() {
		follow := 0 // measurements that are still to follow a change at once
		for interval := minCalibrate; w.err == nil; {
			select {
			case <-w.quit:
				return
			case <-time.After(interval):
				if w.err = w.once(); w.err != nil {
					w.objs.SetCalibrator(0)
				}
			}
			switch {
			case follow > 0:
				if follow--; follow == 0 {
					interval = maxCalibrate
				}
			case w.hasChanged():
				interval, follow = followEvery, firstCalibrations-1
			default:
				interval = min(2*interval, maxCalibrate)
			}
		}
	})
}

// changedFactor is the factor between two measurements that counts as a change. A reader then needs
// several new ones, see firstCalibrations. They follow at intervals of followEvery, so that a
// disturbance of a tenth of a second does not look like a change.
const (
	changedFactor = 1.25
	followEvery   = 100 * time.Millisecond
)

// hasChanged reports whether the cost of some hits differs from the measurement before.
func (w *costWatch) hasChanged() bool {
	if len(w.list) < 2 {
		return false
	}
	before, last := w.list[len(w.list)-2].Sites, w.list[len(w.list)-1].Sites
	cost := func(c format.SiteCost) float64 { return float64(max(c.CallNs, c.EntryNs)) }
	for _, c := range last {
		i := slices.IndexFunc(before, func(b format.SiteCost) bool { return b.Entry == c.Entry && b.Return == c.Return })
		if i >= 0 && (cost(c) > changedFactor*cost(before[i]) || cost(before[i]) > changedFactor*cost(c)) {
			return true
		}
	}
	return false
}

func (w *costWatch) once() error {
	c, err := w.calibrator.measure()
	if err == nil {
		w.keep(c)
		c.TimeNs = clock.SinceStart(clock.MonotonicNs(), w.startNs)
		w.definitions.add(func(catalog *catalog) { catalog.w.AddCalibration(c) })
		w.tellFactor()
	}
	return err
}

// maxKept limits the calibrations in memory: the first ones, and those of the last quarter of an
// hour or more.
const maxKept = 2000

func (w *costWatch) keep(c format.Calibration) {
	w.list = append(w.list, c)
	if len(w.list) > maxKept {
		w.list = slices.Delete(w.list, firstCalibrations, firstCalibrations+1)
	}
}

func (w *costWatch) tellFactor() {
	if w.scale == nil {
		return
	}
	if factor := format.CostFactor(w.list); max(factor/w.scaled, w.scaled/factor) > 1.1 {
		w.scaled = factor
		w.scale(factor)
	}
}

// stop measures a last time.
func (w *costWatch) stop() {
	if w.quit == nil {
		return
	}
	defer w.end()
	close(w.quit)
	w.running.Wait()
	w.quit = nil
	if w.err == nil {
		w.err = w.once()
	}
	if w.err != nil {
		w.notice("warning: the cost of a probe hit was not measured until the end: %v", w.err)
	}
}

// minMovedFactor is the factor by which costs must have moved to cause a warning.
const minMovedFactor = 1.5

// moved says how the cost of hits moved while recording, "" if it did not.
func (w *costWatch) moved() string {
	m := format.NewMoved(w.list)
	if m.Factor() < minMovedFactor {
		return ""
	}
	return fmt.Sprintf("the probe cost of a call moved from %.1f to %.1f us while recording: the state of the machine changed",
		float64(m.FromNs)/1e3, float64(m.ToNs)/1e3)
}

// end ends the calibrator's process in the background, because detaching takes some time.
func (w *costWatch) end() {
	if c := w.calibrator; c != nil {
		w.calibrator = nil
		w.running.Go(func() { w.closeErr = c.close() })
	}
}

// close waits until the calibrator has ended.
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
