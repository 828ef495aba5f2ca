//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"

	"utrace/bpf"
	"utrace/record"
	"utrace/record/plan"
)

// defaultRingBytes is the size of each ring buffer.
const defaultRingBytes = 8 << 20

// targetFlags say what to record and how to attach: record and plan have them in common.
type targetFlags struct {
	pids     []int
	selected plan.Selection
	probes   []string
	presets  []string
	place    string
	attach   string
	follow   bool
	noFollow bool
	wait     bool
	slower   time.Duration
	stacks   bool
}

// addWhat adds the flags that say what to record.
func (f *targetFlags) addWhat(flags *pflag.FlagSet) {
	flags.VarP(&idList{&f.pids, "process"}, "pid", "p", "record the running process `PID` with all its threads; repeatable")
	addSelection(flags, &f.selected)
	flags.StringArrayVarP(&f.probes, "probe", "e", nil,
		"record the functions that `PROBE` names; repeatable (default: all)")
	flags.StringSliceVar(&f.presets, "preset", nil, "record the functions of preset `NAME`: python, postgres, dns …; repeatable")
	flags.BoolVar(&f.follow, "follow", false, "record children as well, over fork and exec (default with a COMMAND)")
	flags.BoolVar(&f.noFollow, "no-follow", false, "do not record the children of a COMMAND")
	flags.BoolVar(&f.wait, "wait", false, "if no process or probe matches, wait for those that appear later")
	flags.Var((*duration)(&f.slower), "slower-than", "keep only calls of at least `TIME`, such as 1ms; count and sum the others")
	flags.BoolVar(&f.stacks, "stack", false, "record the stack of callers at each entry, by frame pointers")
	flags.SetInterspersed(false) // arguments after the COMMAND belong to it
}

// addHow adds the flags that say how to attach.
func (f *targetFlags) addHow(flags *pflag.FlagSet) {
	flags.StringVar(&f.place, "place", "cheapest", "probe at `WHERE`: the cheapest instruction, or entry")
	flags.StringVar(&f.attach, "attach", "auto", "attach by `HOW`: multi (Linux 6.6), perf (events), auto")
}

// config checks the flags.
func (f *targetFlags) config(command []string) (record.Config, error) {
	if f.place != "cheapest" && f.place != "entry" {
		return record.Config{}, usageError{fmt.Errorf("--place %s: want cheapest or entry", f.place)}
	}
	method, err := bpf.ParseMethod(f.attach)
	if err != nil {
		return record.Config{}, usageError{fmt.Errorf("--attach: %w", err)}
	}
	switch {
	case f.follow && f.noFollow:
		return record.Config{}, usageError{errors.New("--follow and --no-follow exclude each other")}
	case f.follow && len(f.pids) == 0 && len(command) == 0 && !f.selected.Any():
		return record.Config{}, usageError{errors.New("--follow needs a process to start from: -p PID or a COMMAND (without one, utrace records every process)")}
	}
	if err := checkSelection(&f.selected, command); err != nil {
		return record.Config{}, err
	}

	probes, err := record.ParseProbes(f.probes...)
	if err != nil {
		return record.Config{}, usageError{err}
	}

	return record.Config{Attach: method, Config: plan.Config{
		PIDs:         f.pids,
		Select:       f.selected,
		Command:      command,
		Follow:       f.follow || len(command) > 0 && !f.noFollow,
		Wait:         f.wait,
		Probes:       probes,
		Presets:      f.presets,
		PlaceAtEntry: f.place == "entry",
		SlowerThan:   f.slower,
		Stacks:       f.stacks,
	}}, nil
}

// recordFlags are the flags of record.
type recordFlags struct {
	targetFlags
	duration time.Duration
	output   string
	labels   labels
	force    bool
	sched    bool
	maxSize  byteSize
	ringSize byteSize
	limit    overhead
	flight   flightFlags
}

func (f *recordFlags) add(flags *pflag.FlagSet) {
	f.addWhat(flags)
	flags.BoolVar(&f.sched, "sched", false, "record when threads run, wait and are blocked, and who wakes them")
	endGroup(flags, "What to record")

	flags.VarP((*seconds)(&f.duration), "duration", "d", "stop after `TIME`, such as 30s (default: with the processes, or Ctrl-C)")
	flags.Var(&f.maxSize, "max-size", "stop when the file reaches `SIZE`, such as 1GiB (default: no limit)")
	f.addLimit(flags)
	endGroup(flags, "When to stop")

	flags.StringVarP(&f.output, "output", "o", "trace.arrow", "write the trace to `FILE`; an older one becomes FILE.old")
	flags.Var(&f.labels, "label", "keep `KEY=VALUE` in the trace, such as version=1.4.2, for exports and analyze --info; repeatable")
	flags.BoolVar(&f.force, "force", false, "replace an output file that is not a trace")
	endGroup(flags, "Output")

	f.flight.add(flags)

	f.addHow(flags)
	f.addRingSize(flags)
	endGroup(flags, "How to attach")
}

func (f *recordFlags) addLimit(flags *pflag.FlagSet) {
	f.limit = defaultOverhead
	flags.Var(&f.limit, "max-overhead", "let probes use at most this `PART` of the CPU time of a process, by probing hot functions at times: 5%, 0.05 or none"+
		"\n(default: 5% if utrace chooses the functions, none if you name them)")
	flags.Lookup("max-overhead").DefValue = ""
}

func (f *recordFlags) addRingSize(flags *pflag.FlagSet) {
	f.ringSize = defaultRingBytes
	flags.Var(&f.ringSize, "ring-size", "`SIZE` of each ring buffer, two per CPU: a power of two")
}

// config checks the flags.
func (f *recordFlags) config(command []string, flags *pflag.FlagSet) (record.Config, error) {
	cfg, err := f.targetFlags.config(command)
	if err != nil {
		return cfg, err
	}
	ring := int(f.ringSize)
	if page := os.Getpagesize(); ring < page || ring&(ring-1) != 0 || ring > 1<<30 {
		return cfg, usageError{fmt.Errorf("--ring-size of %d bytes: want a power of two from %d bytes to 1GiB", ring, page)}
	}
	switch f.output {
	case "":
		return cfg, usageError{errors.New("-o: the name of the trace is empty")}
	case "-":
		return cfg, usageError{errors.New("-o -: a trace cannot be written to a pipe: use -o FILE")}
	}

	cfg.Duration, cfg.Output, cfg.Force, cfg.Sched = f.duration, f.output, f.force, f.sched
	cfg.MaxBytes, cfg.RingBytes, cfg.Labels = int64(f.maxSize), ring, f.labels
	if cfg.MaxOverhead = float64(f.limit); cfg.NamesProbes() && !flags.Changed("max-overhead") {
		cfg.MaxOverhead = 0
	}
	if cfg.Flight, err = f.flight.config(flags); err != nil {
		return cfg, err
	}
	if cfg.MaxOverhead > 0 {
		cfg.Samples = sampleHz
	}
	cfg.Args, cfg.Version, cfg.Calibrator, cfg.LinkHolder = os.Args, version(), ownProcess("--calibrate"), ownProcess("--hold-links")
	return cfg, nil
}
