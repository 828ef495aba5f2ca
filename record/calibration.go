//go:build linux

package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/cilium/ebpf/link"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/calibrate"
)

// calibrationTime is the longest that the costs may take to be measured. It takes 50 ms, most of
// them to detach.
const calibrationTime = 2 * time.Second

// ServeCalibration is what a process does that Config.Calibrator starts.
func ServeCalibration(r io.Reader, w io.Writer) error { return calibrate.Serve(r, w) }

// calibrate returns what a hit costs here, in a process of its own, with the programs of the recording.
// Nothing else must be attached yet; fn is a number of no function. What it has recorded is thrown away.
func (r *recording) calibrate(fn format.FuncID) (Costs, error) {
	switch {
	case len(r.cfg.Calibrator) == 0:
		return Costs{}, errors.New("there is no program to do it with")
	case r.method == bpf.Perf:
		return Costs{}, errors.New("perf events take too long to detach")
	}
	cmd := exec.Command(r.cfg.Calibrator[0], r.cfg.Calibrator[1:]...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return Costs{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return Costs{}, err
	}
	if err := cmd.Start(); err != nil {
		return Costs{}, err
	}
	defer func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	}()
	watchdog := time.AfterFunc(calibrationTime, func() { cmd.Process.Kill() })
	defer watchdog.Stop()

	replies := json.NewDecoder(out)
	var at, ns calibrate.Sites
	if err := replies.Decode(&at); err != nil {
		return Costs{}, fmt.Errorf("its process: %w", err)
	}
	attached, err := attachCalibration(r.objs, cmd.Process.Pid, at, fn)
	defer closeAll(attached)
	if err != nil {
		return Costs{}, err
	}
	if len(r.targets) > 0 {
		if err := r.objs.Follow(cmd.Process.Pid); err != nil {
			return Costs{}, err
		}
		defer r.objs.Unfollow(cmd.Process.Pid)
	}
	if err := r.objs.Enable(true); err != nil {
		return Costs{}, err
	}
	_, err = in.Write([]byte{'\n'})
	if err == nil {
		err = replies.Decode(&ns)
	}
	if err := errors.Join(err, r.objs.Enable(false)); err != nil {
		return Costs{}, fmt.Errorf("its process: %w", err)
	}
	r.objs.Discard()
	return newCosts(ns), nil
}

// newCosts works out the costs from what calls have taken.
func newCosts(ns calibrate.Sites) Costs {
	d := func(ns uint64) time.Duration { return time.Duration(ns) }
	c := Costs{Measured: true, NopCall: d(ns.NopCall), Emulated: d(ns.Emulated), Stepped: d(ns.Stepped)}
	c.Trampoline = max(0, d(ns.Returning)-c.Emulated)
	if ns.Static > 0 {
		c.Args = max(0, d(ns.Static)-c.Emulated)
	}
	return c
}

// attachCalibration attaches probes to the functions of package calibrate. Those attached are returned
// with an error, too.
func attachCalibration(objs *bpf.Objects, pid int, at calibrate.Sites, fn format.FuncID) (attached []probeLink, err error) {
	ex, err := link.OpenExecutable(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return nil, err
	}
	w := newWay(bpf.Multi)
	add := func(l link.Link, err error) error {
		if err == nil {
			attached = append(attached, probeLink{l, fn})
		}
		return err
	}
	entry := bpf.Cookie(fn, format.Entry, 0)
	sites := []site{{fileOff: at.NopCall, cookie: entry}, {fileOff: at.Emulated, cookie: entry}, {fileOff: at.Stepped, cookie: entry}, {fileOff: at.Returning, cookie: entry}}
	if err := add(w.uprobe(ex, objs.OnInstruction, sites, pid)); err != nil {
		return attached, err
	}
	if err := add(w.uretprobe(ex, objs.OnReturn, []site{{fileOff: at.Returning, cookie: bpf.Cookie(fn, format.Return, 0)}}, pid)); err != nil {
		return attached, err
	}
	if objs.OnSite == nil {
		return attached, nil
	}
	text := bpf.Arg{From: bpf.FromRegister, As: bpf.AsString, Size: 8, Base: calibrate.TextRegister, Index: bpf.NoRegister, Max: 100}
	cookie, err := objs.AddSite(&bpf.Site{Func: fn, Kind: format.Hit, NumArgs: 2, Args: [bpf.MaxArgs]bpf.Arg{text, text}})
	if err != nil {
		return attached, err
	}
	return attached, add(w.uprobe(ex, objs.OnSite, []site{{fileOff: at.Static, cookie: cookie}}, pid))
}
