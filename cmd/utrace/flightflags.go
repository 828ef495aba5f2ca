//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"utrace/record"
)

// Defaults of a flight recorder.
const (
	defaultLast   = 30 * time.Second
	defaultAfter  = time.Second
	defaultMemory = 256 << 20
	leastMemory   = 16 << 20
)

// flightFlags are the flags of a flight recorder.
type flightFlags struct {
	until  []string
	last   time.Duration
	after  time.Duration
	times  int
	every  time.Duration
	memory byteSize
}

func (f *flightFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.until, "until", nil, "write only the time around the moment of `CONDITION`: 'FUNC > 200ms',"+
		"\n'error FUNC', 'PROBE if …', exit-signal, signal:USR1, file:/PATH; any")
	f.last, f.after, f.memory = defaultLast, defaultAfter, defaultMemory
	flags.Var((*seconds)(&f.last), "last", "with --until: `TIME` to keep before the moment")
	flags.Var((*duration)(&f.after), "after", "with --until: `TIME` to record after the moment")
	flags.IntVar(&f.times, "times", 1, "with --until: end after `N` traces, FILE-1, FILE-2 …; 0: never")
	flags.Var((*duration)(&f.every), "every", "with --until: write at most one trace in `TIME` (default: that of --last)")
	flags.Var(&f.memory, "memory", "with --until: keep at most `SIZE` of events")
	endGroup(flags, "Waiting for a moment")
}

// config checks the flags. It returns nil without --until.
func (f *flightFlags) config(flags *pflag.FlagSet) (*record.Flight, error) {
	if len(f.until) == 0 {
		for _, name := range []string{"last", "after", "times", "every", "memory"} {
			if flags.Changed(name) {
				return nil, usageError{fmt.Errorf("--%s needs --until CONDITION: which moment to wait for", name)}
			}
		}
		return nil, nil
	}
	cfg := &record.Flight{Last: f.last, After: f.after, Times: f.times, Every: f.every, Bytes: int64(f.memory)}
	if !flags.Changed("every") {
		cfg.Every = f.last
	}
	for _, text := range f.until {
		rule, err := record.ParseRule(text)
		if err != nil {
			return nil, usageError{fmt.Errorf("--until: %w", err)}
		}
		if limit := rule.LongerThan(); limit > 0 && limit > f.last/4*3 {
			return nil, usageError{fmt.Errorf("--until '%s': a call of %s would begin before the time that --last %s keeps: use --last %s", text, limit, f.last, 2*limit)}
		}
		cfg.Rules = append(cfg.Rules, rule)
	}
	switch {
	case f.times < 0:
		return nil, usageError{errors.New("--times: want a whole number from 0 on")}
	case f.memory < leastMemory:
		return nil, usageError{fmt.Errorf("--memory: want at least %d MiB", leastMemory>>20)}
	case flags.Changed("max-size"):
		return nil, usageError{errors.New("--max-size limits the file of a whole recording; --memory limits what --until keeps")}
	}
	return cfg, nil
}

// watchSignals passes on the signals that rules name.
func watchSignals(cfg *record.Flight) (stop func()) {
	received := make(chan os.Signal, 1)
	for _, r := range cfg.Rules {
		switch r.Signal {
		case "USR1":
			signal.Notify(received, syscall.SIGUSR1)
		case "USR2":
			signal.Notify(received, syscall.SIGUSR2)
		}
	}
	cfg.Signals = received
	return func() { signal.Stop(received) }
}
