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
	"github.com/dustin/go-humanize/english"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"utrace/analyze"
	"utrace/bpf"
	"utrace/record"
	"utrace/record/plan"
)

// targetFlags are the flags that record and plan have in common.
type targetFlags struct {
	pids     []int
	probes   []string
	presets  []string
	place    string
	attach   string
	follow   bool
	noFollow bool
	slower   time.Duration
	stacks   bool
}

func (f *targetFlags) add(flags *pflag.FlagSet) {
	flags.VarP(&idList{&f.pids, "process"}, "pid", "p", "record this running `PID`, with all its threads; repeatable")
	flags.StringArrayVarP(&f.probes, "probe", "e", nil, "record these functions (`PROBE`, see above); repeatable (default: all functions of the program)")
	flags.StringSliceVar(&f.presets, "preset", nil, "record the set of probes of this `NAME`: python, postgres, dns … (utrace list --presets); repeatable")
	flags.Var((*duration)(&f.slower), "slower-than", "keep only calls that take at least this `TIME`, such as 1ms; of the others their number and time")
	flags.StringVar(&f.place, "place", "cheapest", "`WHERE` to probe entries: cheapest (at the cheapest safe instruction), or entry (at the first byte)")
	flags.StringVar(&f.attach, "attach", "auto", "`HOW` to attach: multi (links for many probes, Linux 6.6), perf (perf events, Linux 5.15), or auto")
	flags.BoolVar(&f.follow, "follow", false, "record children, too, over fork and exec (default for a COMMAND)")
	flags.BoolVar(&f.noFollow, "no-follow", false, "record no children of a COMMAND")
	flags.BoolVar(&f.stacks, "stack", false, "record the stack of callers at each entry, by frame pointers")
	flags.SetInterspersed(false) // what follows the command belongs to it
}

func (f *targetFlags) config(command []string) (record.Config, error) {
	if f.place != "cheapest" && f.place != "entry" {
		return record.Config{}, usageError{fmt.Errorf("--place %s: it is cheapest or entry", f.place)}
	}
	method, err := bpf.ParseMethod(f.attach)
	if err != nil {
		return record.Config{}, usageError{fmt.Errorf("--attach: %w", err)}
	}
	switch {
	case f.follow && f.noFollow:
		return record.Config{}, usageError{errors.New("--follow and --no-follow exclude each other")}
	case f.follow && len(f.pids) == 0 && len(command) == 0:
		return record.Config{}, usageError{errors.New("--follow needs a process to begin with: -p PID or a COMMAND; without one, every process is recorded")}
	}
	probes, err := record.ParseProbes(f.probes...)
	if err != nil {
		return record.Config{}, usageError{err}
	}
	follow := f.follow || len(command) > 0 && !f.noFollow
	return record.Config{Attach: method, Config: plan.Config{
		PIDs: f.pids, Probes: probes, Presets: f.presets, Command: command, Follow: follow, PlaceAtEntry: f.place == "entry",
		SlowerThan: f.slower, Stacks: f.stacks,
	}}, nil
}

const probeHelp = `Probes:
  FUNC                   a function of the program itself (of PID or COMMAND)
  LIB:FUNC               a function of a library: c:malloc, ssl:SSL_read, libfoo.so.1:bar
  /path/to/file:FUNC     a function in that file; without PID and COMMAND in every process
  ...:FUNC+0x10          an instruction in a function: passes over it are counted, there is no return, and nothing stands behind it
  ...:0x1234             the function or instruction at an address as objdump and nm print it
  usdt:PROVIDER:NAME     a static probe of the program or of any library that it maps; usdt:/path:PROVIDER:NAME of
                         that file (utrace list shows what there is)
FUNC is a name, a glob ('SSL_*', '*') or a /regular expression/. C++ and Rust functions
are found by mangled or demangled name, with or without parameters: f(Point) is that function if the file has it, else f with
an argument to record. A leading ! leaves out: -e '*' -e '!*hot*'. A function that has no name in a stripped file, nor in
an installed debug file, is called sub_ and its address: sub_4a10. The spellings uprobe:FILE:FUNC and
uretprobe:FILE:FUNC of bpftrace are understood; each records entry and return.

Behind it may stand, in this order:
  (ip:str, size:u32)     arguments to record, NAME:TYPE or TYPE: s8 to s64, u8 to u64, x8 to x64, ptr, bool, char,
                         f32, f64, str, str[BYTES], buf[LENGTH-ARG]; arg2:u32 is the second one. Of a function with debug
                         information (DWARF) also names and paths without a type: (path, req->headers[2].name, *count);
                         (...) is all that the debug information, or the note of a static probe, describes
  -> s32                 of a function: what it returns; -> ... as the debug information describes it. Of a function of the
                         C library that fails, errno is recorded with it
  if CONDITION           keep only what it is true of, decided in the kernel: == != < <= > >= =~"glob" && || !
                         over arguments by name, path or arg1, arg2 …, pid, tid, comm; ret, what a function returns;
                         duration, as in duration > 1.5ms. At most 16 comparisons, texts of at most 64 bytes
  => PROVIDER:NAME       of a static probe: the probe that ends what this one begins; => NAME on ARG for spans that overlap
                         and that an argument tells apart; => none for none
Without debug information the arguments of a function are counted among those in integer registers, and then on the stack;
floating-point numbers are in registers that a probe cannot read. A value that cannot be read is shown as ?. At most 12 values.
A probe whose name ends in start, entry, begin or enter, and that has one for the end beside it (done, return,
end, exit), is recorded together with it as a call with a duration.

--preset NAME is a set of probes: python, php, java and ruby record functions under the names that the language gives
them, postgres queries, transactions and waits, others functions of libraries (utrace list --presets). What a runtime does
not pass to probes, as it was built or started, is said when the recording begins. PostgreSQL works in
children of its postmaster: -p POSTMASTER --follow, or no -p for the whole machine.
`

func newRecordCommand() *cobra.Command {
	var (
		f        targetFlags
		cfg      record.Config
		maxSize  byteSize
		ringSize = byteSize(8 << 20)
		limit    = overhead(defaultOverhead)
	)
	cmd := &cobra.Command{
		Use:   "record [flags] [-- COMMAND ARG...]",
		Short: "Record function calls into a trace",
		Long: `Record the entries and returns of functions into a file, which utrace analyze reads.

The functions are those of a running process (-p), of a command that is started with
the probes in place before its first instruction, or of a file in every process of the machine.
Without a probe (-e, --preset) all functions of the program itself are recorded, and of a
script in Python, PHP or Java its functions. Without a PID and a COMMAND, either, utrace looks at what
runs on the machine and chooses presets for it: languages, PostgreSQL, and the libraries that resolve names,
encrypt, and keep data (SQLite). It says what it has chosen, and what it could not and why; if there is
nothing, that is an error.

What utrace has chosen must not slow down a process by more than --max-overhead. Once a second, and sooner at the
start, the hits of all probes in a process, at the cost of a hit measured on this machine, are held against the
CPU time that the process has used since. If they are over the limit, the function that
costs most is taken off, in all processes, and so on until the rest fits. The trace says when, and how
many hits it had; its calls count only up to then. A process is judged when it has used 10 ms of CPU time.

Recording ends when the duration is over, with the processes or the command, or on Ctrl-C; the trace is kept.
A command that is still running then is left alone. Its exit status becomes that of utrace; a death by a signal is told, and gives 0.

With --sched the trace also says when threads run, wait for a processor and are blocked, and who wakes them: utrace
analyze divides the time of calls. That is so from the first call of a thread on, and not for goroutines. It needs BTF of the kernel.

Children of a command are recorded, too (--no-follow: they are not), those of a process with --follow:
from their first instruction, and FUNC and LIB:FUNC also mean the programs that they execute. For
that, utrace is the debugger (ptrace) of a command: a program is held until its
probes are in place, and no other debugger can attach. Of what a process given by -p executes, the
calls before its probes are in place are missing. Other processes that run the same files are not recorded,
but hit the breakpoints, too, and become slower; with --no-follow, or -p alone, they do not.
A library loaded while recording is found within a second.

With --slower-than, or a condition on ret or duration, calls are followed to their return in the kernel, and only then written,
if they are kept: together with the calls around them, so that the flow is whole. Of the others their number and times are
known: the report's calls, average and totals are of all calls, its percentiles of those that were kept. With --sched, or
a probe on an instruction, that is refused: what happens inside of a call would be written before it. In programs and libraries
that appear while recording there is room for 8,192 functions then, and for 2,048 with other conditions, arguments or results.

--stack records the stack of callers at each entry of a function, each different one once: the profile and the tree of analyze then have the
functions that have led to the traced ones. It goes by frame pointers. Go programs keep them, others if they are built
with -fno-omit-frame-pointer; where they are missing, utrace says so, and only the direct caller is known.

` + probeHelp + `
It needs root (or CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE) and Linux ` + bpf.Floor + ` or newer: utrace doctor
says what this machine allows.`,
		Example: `  sudo utrace record -d 30s
  sudo utrace record -d 30s -p 1234
  sudo utrace record -d 10s -p 1234 --preset python
  sudo utrace record -e 'parse_*' -e 'db_*' -- ./server --port 8080
  sudo utrace record -d 30s -e 'c:getaddrinfo(node:str) -> s32 if ret != 0 || duration > 100ms'
  sudo utrace record -d 30s -p 1234 --slower-than 10ms
  sudo utrace record -d 10s -e /usr/lib/x86_64-linux-gnu/libc.so.6:getaddrinfo`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.config(args)
			if err != nil {
				return err
			}
			cfg.PIDs, cfg.Probes, cfg.Presets, cfg.Command, cfg.Follow = c.PIDs, c.Probes, c.Presets, c.Command, c.Follow
			cfg.PlaceAtEntry, cfg.Attach, cfg.SlowerThan, cfg.Stacks = c.PlaceAtEntry, c.Attach, c.SlowerThan, c.Stacks
			cfg.MaxBytes, cfg.RingBytes = int64(maxSize), int(ringSize)
			if page := os.Getpagesize(); cfg.RingBytes < page || cfg.RingBytes&(cfg.RingBytes-1) != 0 || cfg.RingBytes > 1<<30 {
				return usageError{fmt.Errorf("--ring-size of %d bytes: it must be a power of two from %d bytes to 1GiB", cfg.RingBytes, page)}
			}
			if cfg.Output == "-" {
				return usageError{errors.New("-o -: a trace is written to a file, which a pipe is not: use -o FILE")}
			}
			if cfg.MaxOverhead = float64(limit); c.NamesProbes() && !cmd.Flags().Changed("max-overhead") {
				cfg.MaxOverhead = 0
			}
			cfg.Args, cfg.Version, cfg.Calibrator = os.Args, version(), calibrator()
			return runRecord(cmd.Context(), cmd.ErrOrStderr(), cfg)
		},
	}
	flags := cmd.Flags()
	f.add(flags)
	flags.VarP((*seconds)(&cfg.Duration), "duration", "d", "how long to record, such as 30s (default: until the command or the processes end, or Ctrl-C)")
	flags.StringVarP(&cfg.Output, "output", "o", "trace.arrow", "write the trace to this `FILE`")
	flags.BoolVar(&cfg.Force, "force", false, "replace an output file that is not a trace")
	flags.BoolVar(&cfg.Sched, "sched", false, "record also when the threads that call something run, wait for a CPU and are blocked, and who wakes them")
	flags.Var(&maxSize, "max-size", "stop when the file reaches this `SIZE`, such as 1GiB (default: no limit)")
	flags.Var(&limit, "max-overhead", "take off a function whose probes cost a process more than this `PART` of its CPU time, such as 5% or 0.05; none: never\n(default: 5% where utrace chooses the probes, none where you name them)")
	flags.Lookup("max-overhead").DefValue = ""
	flags.Var(&ringSize, "ring-size", "the `SIZE` of each buffer between kernel and recorder, two a CPU; a power of two")
	return cmd
}

func runRecord(ctx context.Context, stderr io.Writer, cfg record.Config) error {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	signals := make(chan os.Signal, 4)
	// What is ignored now stays ignored in the command, as it is not caught before that has started.
	cfg.Started = func() {
		signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
		if !signal.Ignored(syscall.SIGHUP) { // as under nohup
			signal.Notify(signals, syscall.SIGHUP)
		}
	}
	defer signal.Stop(signals)
	first := make(chan os.Signal, 1)
	go func() {
		first <- <-signals
		stop()
	}()
	cfg.AwaitCommand = func(ended <-chan struct{}) bool { return awaitCommand(stderr, <-first, signals, ended) }
	done := func() {}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		cfg.Progress, done = progressLine(stderr, cfg.Duration)
	}
	cfg.Notice = func(text string) { fmt.Fprintf(stderr, "utrace: %s\n", escape(text)) }
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

// awaitCommand waits for a command that a Ctrl-C may have ended, until a second
// signal. After another signal than that of Ctrl-C, which went to utrace alone, it only looks.
func awaitCommand(w io.Writer, sig os.Signal, signals <-chan os.Signal, ended <-chan struct{}) bool {
	var patience <-chan time.Time
	if sig != syscall.SIGINT {
		patience = time.After(100 * time.Millisecond)
	} else {
		select {
		case <-ended:
			return true
		case <-time.After(500 * time.Millisecond):
			fmt.Fprintln(w, "utrace: the trace is complete; waiting for the command to end (Ctrl-C again: leave it)")
		}
	}
	select {
	case <-ended:
		return true
	case <-signals:
	case <-patience:
	}
	return false
}

// recordError sorts the errors of record: a wrong probe is a wrong usage.
func recordError(err error) error {
	if errors.Is(err, record.ErrSyntax) || errors.Is(err, record.ErrPreset) || errors.Is(err, plan.ErrLate) {
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
	fmt.Fprintf(w, "utrace: recorded %s (%s) of %s in %.1f s: %s\n", english.Plural(int(s.Events), "event", ""),
		english.Plural(int(s.Calls), "call", ""), english.Plural(s.Funcs, "function", ""), seconds, s.Reason)
	perEvent := ""
	if s.Events > 0 {
		perEvent = fmt.Sprintf(", %.2f bytes/event", float64(s.Bytes)/float64(s.Events))
	}
	fmt.Fprintf(w, "utrace: %s events/s, %s lost, %s%s in %s\n",
		count(uint64(float64(s.Events)/max(seconds, 1e-9))), count(s.LostEntries+s.LostReturns), humanize.IBytes(uint64(s.Bytes)), perEvent, cfg.Output)
	if s.Overhead > 0 {
		fmt.Fprintf(w, "utrace: the probes took about %s of processor time, %.1f%% of one processor\n", analyze.FormatDuration(s.Overhead), 100*s.Overhead.Seconds()/max(seconds, 1e-9))
	}
	if s.LostEntries+s.LostReturns > 0 {
		fmt.Fprintf(w, "utrace: warning: %s entries and %s returns were lost: the rings were full; the trace says where. Probe less, or use a larger --ring-size\n",
			count(s.LostEntries), count(s.LostReturns))
	}
	if s.Dropped > 0 {
		fmt.Fprintf(w, "utrace: %s further %s: of these the trace has number and times only\n", count(s.Dropped), english.PluralWord(int(s.Dropped), "call that did not meet its condition", "calls that did not meet their condition"))
	}
	if cfg.Sched {
		fmt.Fprintf(w, "utrace: %s switches and wakeups of threads, %s lost\n", count(s.Sched), count(s.LostSched))
	}
	printTakenOff(w, s.TakenOff)
	if n := len(s.LeftOut); n > 0 {
		l := s.LeftOut[0]
		fmt.Fprintf(w, "utrace: %d %s left out, such as %s: %s (utrace plan lists them)\n", n, english.PluralWord(n, "function was", "functions were"), escape(l.Name), l.Reason)
	}
	for _, text := range s.Warnings {
		fmt.Fprintf(w, "utrace: warning: %s\n", escape(text))
	}
	switch {
	case s.Events > 0:
	case s.Dropped > 0:
		fmt.Fprintf(w, "utrace: none of the %s met its condition (utrace analyze tells their number and times)\n", english.Plural(int(s.Dropped), "call", ""))
	case cfg.Conditional():
		fmt.Fprintln(w, "utrace: no call that meets its condition was seen: does the process run these functions, and do the conditions say what is meant? (utrace plan shows what was probed)")
	default:
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
