//go:build linux

package record

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/calibrate"
	"utrace/record/internal/linker"
)

const (
	// maxCalibrationTime limits how long measuring may take: a hundred times as long as on an idle
	// machine.
	maxCalibrationTime = 5 * time.Second
	// calibrationRing is the size of the ring for the records of one function's calls, in bytes.
	calibrationRing = 64 << 10
	// calibrationCalls is how often a function is called in each measurement.
	calibrationCalls = 50
	// firstCalibrations is the number of measurements when the recording begins. A reader takes the
	// lower quartile of the latest five (analyze/cost.go).
	firstCalibrations = 5
	// displacementsEach is how often the calibrator's process is displaced by a thread of its own
	// in each measurement. This happens only before anything is recorded.
	displacementsEach = 10
	// warmupShare is the share of calls that are ignored: caches and predictors have to learn, and
	// the kernel rewrites a 5-byte nop at its first hit.
	warmupShare = 0.2
	// Intervals between measurements while recording: from the first to the second, each twice as
	// long as the one before. Results from before the first batch is written also apply to that
	// batch.
	minCalibrate, maxCalibrate = 50 * time.Millisecond, 500 * time.Millisecond
)

// ServeCalibration runs the process that Config.Calibrator starts. It reads requests from r and
// writes replies to w until r ends.
func ServeCalibration(r io.Reader, w io.Writer) error { return calibrate.Serve(r, w) }

// calibrator measures the cost of plain hits here and now, in a process of its own. It loads a
// second set of the recording's programs and buffers, so that nothing of it gets into the trace or
// its counts. Like the recording, these filter processes and count hits. They exclude stacks, the
// scheduler and deferred calls (see doc.go).
type calibrator struct {
	cmd      *exec.Cmd
	stderr   bytes.Buffer // of the process
	in       *json.Encoder
	inPipe   io.Closer
	replies  *json.Decoder
	objs     *bpf.Objects
	attached []io.Closer
	tests    []calibrationTest
	displace int         // displacements in each measurement
	events   []bpf.Event // scratch
}

// calibratorConfig says how to calibrate: as the recording filters and counts.
type calibratorConfig struct {
	command []string // see Config.Calibrator
	method  bpf.Method
	targets []int // of the recording: the calibrator runs on the processors of the first
	filter  bool  // the programs filter processes
	limited bool  // the programs count hits
	tests   []calibrationTest
}

// newCalibrator starts a process on the processors of the first target, and attaches to it.
func newCalibrator(cfg calibratorConfig) (_ *calibrator, err error) {
	switch {
	case len(cfg.command) == 0:
		return nil, errors.New("no calibrator program is configured")
	case cfg.method == bpf.Perf:
		return nil, errors.New("perf events take too long to detach")
	}
	c := &calibrator{cmd: exec.Command(cfg.command[0], cfg.command[1:]...), tests: cfg.tests, displace: displacementsEach}
	c.cmd.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1") // no signals in functions that are probed
	c.cmd.Stderr = &c.stderr
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C in a terminal must not end it
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	c.inPipe = in
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.close()
			err = c.ended(err)
		}
	}()
	defer c.limitTime(&err)()
	c.in, c.replies = json.NewEncoder(in), json.NewDecoder(out)
	pid := c.cmd.Process.Pid
	if len(cfg.targets) > 0 {
		var cpus unix.CPUSet
		if unix.SchedGetaffinity(cfg.targets[0], &cpus) == nil {
			if err = setAffinity(pid, &cpus); err != nil {
				return nil, fmt.Errorf("calibrator process: %w", err)
			}
		}
	}
	tableSites := 0
	for _, t := range c.tests {
		if t.function >= calibrate.USDT {
			tableSites += 2
		}
	}
	opts := bpf.Options{
		RingBytes: calibrationRing, Funcs: calibrate.Functions, TGIDs: []int{pid}, Follow: cfg.filter, Method: cfg.method,
		Sites: tableSites, Limited: cfg.limited, NoTasks: true,
	}
	if c.objs, err = bpf.Load(opts); err != nil { // the process starts meanwhile
		return nil, err
	}
	var sites []calibrate.Sites
	if err = c.replies.Decode(&sites); err != nil {
		return nil, fmt.Errorf("calibrator process: %w", err)
	}
	if len(sites) != calibrate.Functions {
		return nil, errors.New("the calibrator process has another version")
	}
	if err = c.attach(sites); err != nil {
		return nil, err
	}
	if err = c.objs.Enable(true); err != nil {
		return nil, err
	}
	return c, nil
}

// errEnded is wrapped if the calibrator's process has ended by itself.
var errEnded = errors.New("the calibrator process has ended")

// ended adds to an error how the process ended, unless it was killed: that end caused the error.
// The process must have been waited for.
func (c *calibrator) ended(err error) error {
	s := c.cmd.ProcessState
	if s == nil {
		return err
	}
	if status, ok := s.Sys().(syscall.WaitStatus); !ok || status.Signaled() && status.Signal() == unix.SIGKILL {
		return err
	}
	said, _, _ := strings.Cut(c.stderr.String(), "\n")
	return fmt.Errorf("%w: %v %s: %w", errEnded, s, said, err)
}

// setAffinity pins all threads of a process.
func setAffinity(pid int, cpus *unix.CPUSet) error {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return err
	}
	for _, task := range tasks {
		var tid int
		if _, err := fmt.Sscan(task.Name(), &tid); err == nil {
			unix.SchedSetaffinity(tid, cpus) // a thread that has ended, or a missing processor, does no harm
		}
	}
	return nil
}

// attach attaches the probes of all tests.
func (c *calibrator) attach(sites []calibrate.Sites) (err error) {
	pid := c.cmd.Process.Pid
	path := fmt.Sprintf("/proc/%d/exe", pid)
	var instructions, trampolines, usdt []site
	for _, t := range c.tests {
		at, fn, goid := sites[t.function], format.FuncID(t.function), uint16(0)
		switch {
		case t.function >= calibrate.USDT:
			for _, s := range []struct {
				off  uint64
				kind siteKind
				as   format.Kind
			}{{at.Entry, t.entry, format.Entry}, {at.Return, t.ret, format.Return}} {
				if s.kind == "" {
					continue
				}
				its := bpf.Site{Func: fn, Kind: s.as, Flags: bpf.SiteFrame}
				if s.kind == kindUSDTArgs {
					text := bpf.Arg{From: bpf.FromRegister, As: bpf.AsString, Size: 8, Base: calibrate.TextRegister, Index: bpf.NoRegister, Max: 100}
					its.NumArgs, its.Args = 2, [bpf.MaxArgs]bpf.Arg{text, text}
				}
				cookie, err := c.objs.AddSite(&its)
				if err != nil {
					return err
				}
				usdt = append(usdt, site{fileOff: s.off, cookie: cookie})
			}
			continue
		case t.function >= calibrate.EmulatedGo:
			goid = goStackHigh
		}
		instructions = append(instructions, site{fileOff: at.Entry, cookie: bpf.Cookie(fn, format.Entry, goid)})
		switch t.ret {
		case "":
		case kindTrampoline:
			trampolines = append(trampolines, site{fileOff: at.Entry, cookie: bpf.Cookie(fn, format.Return, 0)})
		default:
			instructions = append(instructions, site{fileOff: at.Return, cookie: bpf.Cookie(fn, format.Return, goid)})
		}
	}
	w := newLinkMaker(linker.Local(bpf.Multi), bpf.Multi) // the process ends with the recorder
	add := func(wait pendingLink) error {
		l, err := wait()
		if err == nil {
			c.attached = append(c.attached, l)
		}
		return err
	}
	if len(instructions) > 0 {
		err = errors.Join(err, add(w.uprobe(path, c.objs.OnInstruction, instructions, pid)))
	}
	if len(trampolines) > 0 {
		err = errors.Join(err, add(w.uretprobe(path, c.objs.OnReturn, trampolines, pid)))
	}
	if len(usdt) > 0 {
		err = errors.Join(err, add(w.uprobe(path, c.objs.OnSite, usdt, pid)))
	}
	return err
}

// goStackHigh is the offset of stack.hi in the runtime's struct g. It is read instead of goid, at
// the same cost as any other number.
const goStackHigh = 8

// keepOnly runs only these tests from now on, unless there are none. It also stops displacements,
// which need a moment in which nothing else runs.
func (c *calibrator) keepOnly(tests []calibrationTest) {
	c.displace = 0
	if len(tests) > 0 {
		c.tests = tests
	}
}

// limitTime kills the process if it takes too long, unless done is called before. If done comes too
// late, err becomes an error that says so.
func (c *calibrator) limitTime(err *error) (done func()) {
	watchdog := time.AfterFunc(maxCalibrationTime, func() { c.cmd.Process.Kill() })
	return func() {
		if !watchdog.Stop() && *err != nil {
			*err = fmt.Errorf("it takes more than %v on this machine", maxCalibrationTime)
		}
	}
}

// measure returns the cost of hits now.
func (c *calibrator) measure() (cal format.Calibration, err error) {
	defer c.limitTime(&err)()
	entries := map[siteKind]format.SiteCost{}
	for _, t := range c.tests {
		switches, err := c.run(t.function, calibrationCalls)
		if err != nil {
			return cal, err
		}
		cost := format.SiteCost{Entry: string(t.entry), Return: string(t.ret)}
		periods, inside := c.durations(t.ret != "")
		if len(periods) == 0 || t.ret != "" && len(inside) == 0 {
			return cal, fmt.Errorf("no events of calibrator function %d arrived", t.function)
		}
		if t.ret == "" {
			cost.EntryNs, cost.EntryIQRNs = quartiles(periods)
			entries[t.entry] = cost
		} else {
			cost.EntryNs, cost.EntryIQRNs = entries[t.entry].EntryNs, entries[t.entry].EntryIQRNs
			cost.InsideNs, cost.InsideIQRNs = quartiles(inside)
			cost.CallNs, cost.CallIQRNs = quartiles(periods)
		}
		cal.Sites = append(cal.Sites, cost)
		median := periods[len(periods)/2] // quartiles has sorted them; in the longest, other threads ran
		for _, ns := range periods[:max(0, len(periods)-int(switches))] {
			cal.QuietNs += median
			cal.InterruptNs += ns - median
		}
	}
	cal.InterruptNs = max(0, cal.InterruptNs)
	if c.displace > 0 {
		done, err := c.ask(calibrate.Request{Displacements: c.displace})
		if err != nil {
			return cal, err
		}
		cal.DisplacedNs = done.DisplacedNs
	}
	return cal, nil
}

// ask sends a request to the process, and returns its reply.
func (c *calibrator) ask(req calibrate.Request) (done calibrate.Reply, err error) {
	if err = c.in.Encode(req); err == nil {
		err = c.replies.Decode(&done)
	}
	if err != nil {
		err = fmt.Errorf("calibrator process: %w", err)
	}
	return done, err
}

// run has the process call a function, and reads the events. It returns how often the process lost
// its processor.
func (c *calibrator) run(function, calls int) (switches int64, err error) {
	done, err := c.ask(calibrate.Request{Function: function, Calls: calls})
	if err != nil {
		return 0, err
	}
	c.events = c.events[:0]
	take := func(rec []byte) {
		var e bpf.Event
		if e.Decode(rec); int(e.Func) == function {
			c.events = append(c.events, e)
		}
	}
	for _, lane := range c.objs.Lanes {
		lane.Drain(take)
	}
	for _, ring := range c.objs.Rings {
		ring.Drain(take)
	}
	slices.SortStableFunc(c.events, func(a, b bpf.Event) int { return cmp.Compare(a.TimeNs, b.TimeNs) })
	return done.Switches, nil
}

// durations returns the times from each entry to the next, and from each entry to its return.
func (c *calibrator) durations(returns bool) (periods, inside []int64) {
	var last *bpf.Event // the latest entry
	for i := range c.events {
		e := &c.events[i]
		switch {
		case !e.Kind.IsEntry():
			if last != nil && c.events[i-1].Kind.IsEntry() {
				inside = append(inside, int64(e.TimeNs-last.TimeNs))
			}
		default:
			if last != nil && c.events[i-1].Kind.IsEntry() != returns {
				periods = append(periods, int64(e.TimeNs-last.TimeNs))
			}
			last = e
		}
	}
	return periods[int(warmupShare*float64(len(periods))):], inside[int(warmupShare*float64(len(inside))):]
}

// quartiles returns the median and the interquartile range. It sorts ns.
func quartiles(ns []int64) (median, iqr int64) {
	slices.Sort(ns)
	return ns[len(ns)/2], ns[len(ns)*3/4] - ns[len(ns)/4]
}

// close ends the process and detaches from it.
func (c *calibrator) close() error {
	c.inPipe.Close()
	c.cmd.Process.Kill()
	c.cmd.Wait()
	err := linker.CloseAll(c.attached)
	if c.objs != nil {
		err = errors.Join(err, c.objs.Close())
	}
	return err
}
