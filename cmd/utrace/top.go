//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"utrace/analyze"
	"utrace/cmd/utrace/internal/livetable"
	"utrace/record"
)

// topFlags are the flags of top. Those of recordFlags that say where a trace goes are not among
// them.
type topFlags struct {
	recordFlags
	interval time.Duration
	once     bool
	json     bool
	sort     string
	top      int
	screen   screenFlags
}

func newTopCommand() *cobra.Command {
	var f topFlags
	cmd := &cobra.Command{
		Use:   "top [flags] [-- COMMAND ARG...]",
		Short: "Show a live table of the calls of functions",
		Long: `Show how often functions are called, and how long they take, refreshed each second. The flags that
say what to record are those of utrace record. No trace is written. On a pipe the tables follow each
other; --json prints one line for each interval.

Calls are those that began in the interval; percentiles and errors are of those that returned.
Durations are as measured: they have a part of the probes' cost (utrace analyze subtracts it). Events
that were lost are reported, as their calls are missing. With an overhead limit, functions are probed
at times: Covered is the part of the time, and calls are those seen.`,
		Example: `  sudo utrace top -p 1234                                # all functions of a process
  sudo utrace top -p 1234 -e 'handle_*' --sort p99
  sudo utrace top -e c:malloc -e c:free                  # in all processes
  sudo utrace top --preset postgres --interval 5s --json | jq .
  sudo utrace top --once --interval 10s -p 1234          # one table of 10 seconds`,
		Annotations: map[string]string{moreKey: probeTopics},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := f.config(args, cmd.Flags())
			if err != nil {
				return err
			}
			return runTop(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), cfg, &f)
		},
	}
	f.add(cmd.Flags())
	completeTargets(cmd, &f.targetFlags)
	completeWords(cmd, "sort", livetable.Keys()...)
	return cmd
}

func (f *topFlags) add(flags *pflag.FlagSet) {
	f.addWhat(flags)
	flags.Lookup("slower-than").Hidden = true
	flags.Lookup("stack").Hidden = true
	endGroup(flags, "What to show")

	f.interval, f.sort = time.Second, "total"
	flags.Var((*seconds)(&f.interval), "interval", "show a table each `TIME`")
	flags.BoolVar(&f.once, "once", false, "show one table, of one interval")
	flags.BoolVar(&f.json, "json", false, "print one line of JSON for each interval")
	flags.StringVar(&f.sort, "sort", f.sort, "sort by `KEY`: "+strings.Join(livetable.Keys(), ", "))
	flags.IntVar(&f.top, "top", 0, "show at most `N` functions (default: what fits the terminal, or all)")
	flags.BoolVar(&f.screen.wide, "wide", false, "show all columns on a narrow terminal too, and cut off what is right of it")
	endGroup(flags, "Output")

	flags.VarP((*seconds)(&f.duration), "duration", "d", "stop after `TIME`, such as 30s (default: when the processes end, or Ctrl-C)")
	f.addLimit(flags)
	endGroup(flags, "When to stop")

	f.addHow(flags)
	f.addRingSize(flags)
	endGroup(flags, "How to attach")
}

// config checks the flags.
func (f *topFlags) config(command []string, flags *pflag.FlagSet) (record.Config, error) {
	f.output = "none" // it is not used
	cfg, err := f.recordFlags.config(command, flags)
	switch {
	case err != nil:
		return cfg, err
	case f.slower > 0:
		return cfg, usageError{errors.New("--slower-than: top shows the percentiles of all calls; leave it out")}
	case f.stacks:
		return cfg, usageError{errors.New("--stack: top shows no stacks; utrace record does")}
	case !slices.Contains(livetable.Keys(), f.sort):
		return cfg, usageError{fmt.Errorf("--sort %s: want %s", f.sort, strings.Join(livetable.Keys(), ", "))}
	case f.top < 0:
		return cfg, usageError{errors.New("--top: want a whole number from 0 on")}
	}
	if f.once {
		cfg.Duration = f.interval
	}
	return cfg, nil
}

// runTop shows tables until the recording ends. A table that cannot be written in time makes its
// interval longer: reading events must not wait for the reader of a pipe.
func runTop(ctx context.Context, stdout, stderr io.Writer, cfg record.Config, f *topFlags) error {
	signals := signalsOf(ctx)
	defer signals.release()
	cfg.Started = signals.catch
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	screen := &livetable.Screen{W: stdout}
	if isTerminal(stdout) && !f.json {
		screen.Size = func() (width, height int) {
			width, height, _ = term.GetSize(int(stdout.(*os.File).Fd()))
			return width, height
		}
	}
	snapshots := make(chan *livetable.Snapshot, 1)
	written := make(chan error, 1)
	go func() {
		var err error
		for s := range snapshots {
			if err == nil {
				err = f.write(stdout, screen, s)
			}
			if err != nil {
				cancel() // nobody reads the tables any more
			}
		}
		written <- err
	}()

	interval := f.interval
	if f.once {
		interval = 0
	}
	table := livetable.New(interval, func(s *livetable.Snapshot, last bool) bool {
		if last {
			snapshots <- s
			return true
		}
		select {
		case snapshots <- s:
			return true
		default:
			return false
		}
	})
	cfg.Observer = table
	cfg.Notice = func(text string) {
		screen.Leave()
		fmt.Fprintf(stderr, "utrace: %s\n", analyze.Printable(text))
	}

	sum, err := record.Run(ctx, cfg)
	if sum != nil {
		table.Finish(time.Now())
	}
	close(snapshots)
	if werr := <-written; werr != nil {
		return fmt.Errorf("write the table: %w", werr)
	}
	if err != nil {
		return recordError(err)
	}
	for _, text := range sum.Warnings {
		fmt.Fprintf(stderr, "utrace: warning: %s\n", analyze.Printable(text))
	}
	printLoss(stderr, sum)
	if sum.Events == 0 {
		printNothing(stderr, cfg, sum)
	}
	return commandStatus(stderr, cfg, sum)
}

// write writes a table.
func (f *topFlags) write(w io.Writer, screen *livetable.Screen, s *livetable.Snapshot) error {
	s.Sort(f.sort, f.top)
	if f.json {
		return s.WriteJSON(w)
	}
	lines := s.Text(f.sort, f.screen.screen(w).Width)
	if room := screen.Room(); room > 0 {
		lines = lines[:min(room, len(lines))]
	}
	return screen.Show(lines)
}
