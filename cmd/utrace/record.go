//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"utrace/record"
)

// byteSize is a flag such as 8MiB.
type byteSize int64

func (b *byteSize) String() string { return strings.ReplaceAll(humanize.IBytes(uint64(*b)), " ", "") }
func (b *byteSize) Type() string   { return "SIZE" }
func (b *byteSize) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	if err != nil || n > 1<<62 {
		return fmt.Errorf("%q is not a size such as 8MiB or 1GB", text)
	}
	*b = byteSize(n)
	return nil
}

// targetFlags are the flags that record and plan have in common.
type targetFlags struct {
	pids     []int
	probes   []string
	follow   bool
	noFollow bool
}

func (f *targetFlags) add(flags *pflag.FlagSet) {
	flags.IntSliceVarP(&f.pids, "pid", "p", nil, "record this running `PID`, with all its threads; repeatable")
	flags.StringArrayVarP(&f.probes, "probe", "e", nil, "probe these functions; repeatable (default: all functions of the program)")
	flags.BoolVar(&f.follow, "follow", false, "record children, too, over fork and exec (default for a COMMAND)")
	flags.BoolVar(&f.noFollow, "no-follow", false, "record no children of a COMMAND")
	flags.SetInterspersed(false) // what follows the command belongs to it
}

func (f *targetFlags) config(command []string) (record.Config, error) {
	for _, pid := range f.pids {
		if pid <= 0 {
			return record.Config{}, usageError{fmt.Errorf("%d is not a process ID", pid)}
		}
	}
	switch {
	case f.follow && f.noFollow:
		return record.Config{}, usageError{errors.New("--follow and --no-follow exclude each other")}
	case f.follow && len(f.pids) == 0 && len(command) == 0:
		return record.Config{}, usageError{errors.New("--follow needs a process to begin with: -p PID or a COMMAND; without one, every process is recorded")}
	}
	follow := f.follow || len(command) > 0 && !f.noFollow
	return record.Config{PIDs: f.pids, Probes: f.probes, Command: command, Follow: follow}, nil
}

const probeHelp = `Probes:
  FUNC                   a function of the program itself (of PID or COMMAND)
  LIB:FUNC               a function of a library: c:malloc, ssl:SSL_read, libfoo.so.1:bar
  /path/to/file:FUNC     a function in that file; without PID and COMMAND in every process
  ...:FUNC+0x10          an instruction in a function: passes over it are counted, there is no return
  ...:0x1234             the function or instruction at an address as objdump and nm print it
FUNC is a name, a glob ('SSL_*', '*') or a /regular expression/. C++ and Rust functions
are found by mangled or demangled name, with or without parameters. A leading !
leaves out: -e '*' -e '!*hot*'. The spellings uprobe:FILE:FUNC and
uretprobe:FILE:FUNC of bpftrace are understood; each records entry and return.
`

func newRecordCommand() *cobra.Command {
	var (
		f        targetFlags
		cfg      record.Config
		maxSize  byteSize
		ringSize = byteSize(8 << 20)
	)
	cmd := &cobra.Command{
		Use:   "record [flags] [-- COMMAND ARG...]",
		Short: "Record function calls into a trace",
		Long: `Record the entries and returns of functions into a file, which utrace analyze reads.

The functions are those of a running process (-p), of a command that is started with
the probes in place before its first instruction, or of a file in every process of the machine.
Without a probe (-e) all functions of the program itself are recorded. Recording ends when
the duration is over, with the processes or the command, or on Ctrl-C; the trace is kept.
A command that is still running then is left alone. Its exit status becomes that of utrace.

Children of a command are recorded, too (--no-follow: they are not), those of a process with --follow:
from their first instruction, and FUNC and LIB:FUNC also mean the programs that they execute. For
that, utrace is the debugger (ptrace) of a command: a program is held until its
probes are in place, and no other debugger can attach. Of what a process given by -p executes, the
calls before its probes are in place are missing. Other processes that run the same files are not recorded,
but hit the breakpoints, too, and become slower; with --no-follow, or -p alone, they do not.
A library loaded while recording is found within a second.

` + probeHelp + `
It needs root (or CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE) and Linux 6.6 or newer.`,
		Example: `  sudo utrace record -d 30s -p 1234
  sudo utrace record -e 'parse_*' -e 'db_*' -- ./server --port 8080
  sudo utrace record -d 10s -e /usr/lib/x86_64-linux-gnu/libc.so.6:getaddrinfo`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.config(args)
			if err != nil {
				return err
			}
			cfg.PIDs, cfg.Probes, cfg.Command, cfg.Follow = c.PIDs, c.Probes, c.Command, c.Follow
			cfg.MaxBytes, cfg.RingBytes = int64(maxSize), int(ringSize)
			if page := os.Getpagesize(); cfg.RingBytes < page || cfg.RingBytes&(cfg.RingBytes-1) != 0 || cfg.RingBytes > 1<<30 {
				return usageError{fmt.Errorf("--ring-size %s: it must be a power of two from %d bytes to 1GiB", &ringSize, page)}
			}
			if cfg.Duration < 0 {
				return usageError{fmt.Errorf("--duration %s: it must not be negative", cfg.Duration)}
			}
			cfg.Args, cfg.Version = os.Args, version()
			return runRecord(cmd.Context(), cmd.ErrOrStderr(), cfg)
		},
	}
	flags := cmd.Flags()
	f.add(flags)
	flags.DurationVarP(&cfg.Duration, "duration", "d", 0, "how long to record, such as 30s (default: until the command or the processes end, or Ctrl-C)")
	flags.StringVarP(&cfg.Output, "output", "o", "trace.arrow", "write the trace to this `FILE`")
	flags.BoolVar(&cfg.Force, "force", false, "replace an output file that is not a trace")
	flags.Var(&maxSize, "max-size", "stop when the file reaches this `SIZE`, such as 1GiB (default: no limit)")
	flags.Var(&ringSize, "ring-size", "buffer between kernel and recorder, a CPU; a power of two")
	return cmd
}

func runRecord(ctx context.Context, stderr io.Writer, cfg record.Config) error {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	done := func() {}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		cfg.Progress, done = progressLine(stderr, cfg.Duration)
	}
	cfg.Notice = func(text string) { fmt.Fprintf(stderr, "utrace: %s\n", text) }
	sum, err := record.Run(ctx, cfg)
	done()
	if sum != nil {
		printSummary(stderr, cfg, sum)
	}
	if err != nil {
		return recordError(err)
	}
	return commandStatus(stderr, cfg, sum)
}

// recordError sorts the errors of record: a wrong probe is a wrong usage.
func recordError(err error) error {
	if errors.Is(err, record.ErrSyntax) {
		return usageError{err}
	}
	return err
}

// progressLine shows a line that is written over and over.
func progressLine(w io.Writer, duration time.Duration) (show func(record.Progress), done func()) {
	total := int64(-1)
	if duration > 0 {
		total = duration.Milliseconds()
	}
	bar := progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(20), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetElapsedTime(false), progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetDescription("recording"), progressbar.OptionSpinnerType(14))
	show = func(p record.Progress) {
		bar.Describe(fmt.Sprintf("recording %s, %s events, %s lost, %s", p.Elapsed.Round(time.Second),
			humanize.Comma(int64(p.Events)), humanize.Comma(int64(p.Lost)), humanize.IBytes(uint64(p.Bytes))))
		bar.Set64(p.Elapsed.Milliseconds())
	}
	return show, func() { bar.Finish() }
}

func printSummary(w io.Writer, cfg record.Config, s *record.Summary) {
	count := func(n uint64) string { return humanize.Comma(int64(n)) }
	seconds := s.Duration.Seconds()
	fmt.Fprintf(w, "utrace: recorded %s events (%s calls) of %s functions in %.1f s: %s\n",
		count(s.Events), count(s.Calls), humanize.Comma(int64(s.Funcs)), seconds, s.Reason)
	perEvent := ""
	if s.Events > 0 {
		perEvent = fmt.Sprintf(", %.2f bytes/event", float64(s.Bytes)/float64(s.Events))
	}
	fmt.Fprintf(w, "utrace: %s events/s, %s lost, %s%s in %s\n",
		count(uint64(float64(s.Events)/max(seconds, 1e-9))), count(s.LostEntries+s.LostReturns), humanize.IBytes(uint64(s.Bytes)), perEvent, cfg.Output)
	if s.LostEntries+s.LostReturns > 0 {
		fmt.Fprintf(w, "utrace: warning: %s entries and %s returns were lost: the rings were full; the trace says where. Probe less, or use a larger --ring-size\n",
			count(s.LostEntries), count(s.LostReturns))
	}
	if n := len(s.LeftOut); n > 0 {
		l := s.LeftOut[0]
		fmt.Fprintf(w, "utrace: %d functions were left out, such as %s: %s (utrace plan lists them)\n", n, escape(l.Name), l.Reason)
	}
	for _, text := range s.Warnings {
		fmt.Fprintf(w, "utrace: warning: %s\n", escape(text))
	}
	if s.Events == 0 {
		fmt.Fprintln(w, "utrace: no call was seen: did the process do anything, and does it run these functions? (utrace plan shows what was probed)")
	}
}

// commandStatus ends utrace as its command ended: with its exit status. The
// death of a command by a signal is no failure of the recording.
func commandStatus(w io.Writer, cfg record.Config, s *record.Summary) error {
	if len(cfg.Command) == 0 {
		return nil
	}
	if s.Command == nil {
		fmt.Fprintf(w, "utrace: the command (process %d) is still running\n", s.CommandPID)
		return nil
	}
	switch status := s.Command; {
	case status.Signaled():
		fmt.Fprintf(w, "utrace: the command was ended by a signal: %s\n", status.Signal())
	case status.ExitStatus() != 0:
		fmt.Fprintf(w, "utrace: the command ended with exit status %d\n", status.ExitStatus())
		return exitError(status.ExitStatus())
	}
	return nil
}

// escape makes text of a traced file safe for a terminal.
func escape(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd || r >= 0x80 && r < 0xa0 }) {
		return fmt.Sprintf("%q", text)
	}
	return text
}
