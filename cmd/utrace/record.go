//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"utrace/analyze"
	"utrace/bpf"
	"utrace/record"
	"utrace/record/plan"
)

func newRecordCommand() *cobra.Command {
	var f recordFlags
	cmd := &cobra.Command{
		Use:   "record [flags] [-- COMMAND ARG...]",
		Short: "Record function calls into a trace",
		Long: `Record the entries and returns of functions into a trace, which utrace analyze reads. Name the
functions with -e or --preset. Otherwise utrace chooses: all functions of the program of a process or
COMMAND, or the presets and busy programs of the machine. A COMMAND starts with its probes in place,
and its exit status becomes that of utrace: 128+N if signal N kills it. Recording needs root (or
CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE) and Linux ` + bpf.Floor + `: utrace doctor checks this machine.`,
		Example: `  sudo utrace record -d 30s                                  # what runs here, chosen by utrace
  sudo utrace record -d 30s -p 1234                          # all functions of a process
  sudo utrace record -d 10s -p 1234 --preset python          # Python functions of a process
  sudo utrace record -d 30s -p 1234 --slower-than 10ms       # its slow calls
  sudo utrace record -e 'parse_*' -e 'db_*' -- ./server --port 8080
  sudo utrace record -d 30s -e 'c:getaddrinfo(node:str) -> s32 if ret != 0 || duration > 100ms'
  sudo utrace record -p 1234 -e 'handle_*' --until 'handle_request > 200ms'  # see docs/waiting.md`,
		Annotations: map[string]string{moreKey: probeTopics + `
  man utrace-record       cost, children, slow calls, stacks, scheduling (docs/recording.md)`},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := f.config(args, cmd.Flags())
			if err != nil {
				return err
			}
			cfg.Debuginfod = newDebuginfod(cmd.Context(), cmd.ErrOrStderr())
			return runRecord(cmd.Context(), cmd.ErrOrStderr(), cfg)
		},
	}
	f.add(cmd.Flags())
	completeTargets(cmd, &f.targetFlags)
	return cmd
}

// runRecord records, reports on stderr, and returns the exit status of the command as an exitError.
func runRecord(ctx context.Context, stderr io.Writer, cfg record.Config) error {
	signals := signalsOf(ctx)
	defer signals.release()
	if cfg.Flight != nil {
		defer watchSignals(cfg.Flight)()
	}
	cfg.Started = signals.catch
	cfg.AwaitCommand = func(ended <-chan struct{}) bool {
		return awaitCommand(stderr, endedBy(ctx), signals.again(), ended)
	}

	done := func() {}
	if isTerminal(stderr) {
		cfg.Progress, done = progressLine(stderr, cfg.Duration)
	}
	cfg.Notice = func(text string) { fmt.Fprintf(stderr, "utrace: %s\n", analyze.Printable(text)) }

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

// recordError adds to an error of record the flags that help, and makes errors of probes and
// presets usage errors.
func recordError(err error) error {
	if hint := recordAdvice(err); hint != "" {
		err = fmt.Errorf("%w: %s", err, hint)
	}
	if errors.Is(err, record.ErrSyntax) || errors.Is(err, record.ErrPreset) || errors.Is(err, plan.ErrSelection) || errors.Is(err, plan.ErrLate) || errors.Is(err, record.ErrRule) {
		return usageError{err}
	}
	return err
}

// progressLine shows one line that it keeps overwriting.
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
