package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"utrace/analyze"
	"utrace/analyze/render/fleet"
	"utrace/analyze/render/push"
	"utrace/format/packed"
)

func newExportCommand() *cobra.Command {
	var f exportFlags
	cmd := &cobra.Command{
		Use:   "export [flags] TRACE...",
		Short: "Write calls as tables for DuckDB, ClickHouse or Spark; send spans and profiles",
		Long: `With --parquet, write a Parquet file with one row per call, for your own analyses and for querying many traces
together. Rows are in the order in which calls end, thread by thread. A TRACE may be compressed with
zstd or gzip; - is standard input.

Columns:
  trace, host            where the call was recorded
  start_time, start_ns   when it began: wall clock (UTC), and since the start of the trace
  duration_ns, self_ns   how long it took, and without its traced callees. Both are null if the call is
                         incomplete; duration_ns is also null if it is uncertain
  total_ns               what the call adds to the total time of its function: its duration, or 0 inside
                         another call of the function. An incomplete outermost call has the sum of the
                         complete calls of the function inside it
  depth                  the number of traced calls around it
  function, module, build_id, address, file, line
                         the function
  provider               of a static probe
  pid, tid, process, thread, goroutine
                         who called it
  arguments, results     JSON objects, null if none were recorded
  state                  see below
  weight                 how many calls it stands for: 1 unless the trace is a survey
  recording              the same for each copy of a trace
  command                the command line of the process
  version, labels        the label version, and all labels as a JSON object
  path                   the functions of the calls around it and its own, with ; between
  failed                 whether it is an error of its function

States:
  complete               entry and return were seen
  uncertain              events were lost during the call
  open                   still running at the end of its thread or of the trace
  replaced               its process executed another program
  unwound                its return was not seen
  cut                    utrace stopped probing its function before its return
  noreturn               the returns of the function are not probed
  hit                    an instruction or static probe, without a duration

Sums over the rows give the figures of the report; docs/exporting.md has the query.

With --partition, FILE is a directory in the layout of Hive, for the traces of many machines. It has
the calls, and histograms of durations by function and minute. Exporting a trace again replaces its
files. docs/fleet.md has queries for DuckDB and ClickHouse.

With --otlp, the slowest calls become spans of OpenTelemetry, with the calls around them as parents.
A URL is the address of a collector (OTLP/HTTP); a file gets one message TracesData. Exporting a trace
again gives the same spans.

With --pyroscope and --parca, the profile of each trace is sent to a server of that kind, with host
and labels. What is sent includes command lines, arguments and names of functions.`,
		Example: `  utrace export --parquet calls.parquet trace.arrow
  utrace export --parquet week.parquet monday.arrow tuesday.arrow
  utrace export --parquet fleet/ --partition host,date web1.arrow web2.arrow
  utrace export --otlp http://localhost:4318 --slower-than 10ms trace.arrow
  duckdb -c "select function, sum(weight), sum(weight * total_ns) from 'calls.parquet' group by all"`,
		Args: traceArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			traces := packed.NewOpener(cmd.InOrStdin())
			defer traces.Close()
			return f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), args, traces)
		},
	}
	cmd.Flags().StringVar(&f.parquet, "parquet", "", "write the table to `FILE` (- is standard output), or with --partition to a directory")
	cmd.Flags().StringVar(&f.partition, "partition", "", "write calls and histograms to a directory, partitioned by `KEYS`: host, date, or host,date")
	endGroup(cmd.Flags(), "Tables")
	cmd.Flags().StringVar(&f.otlp, "otlp", "", "write the slowest calls as OpenTelemetry spans to `FILE`, or send them to a URL")
	f.slowest = 1000
	cmd.Flags().Var(&f.slowest, "slowest", "make spans of the `N` slowest calls")
	cmd.Flags().Var((*duration)(&f.slower), "slower-than", "make spans of calls of at least `TIME` only")
	endGroup(cmd.Flags(), "Spans")
	cmd.Flags().StringVar(&f.pyroscope, "pyroscope", "", "send a profile of each trace to the Pyroscope server at `URL`")
	cmd.Flags().StringVar(&f.parca, "parca", "", "send a profile of each trace to the gateway of the Parca server at `URL`")
	endGroup(cmd.Flags(), "Profiles")
	f.symbols.add(cmd.Flags())
	endGroup(cmd.Flags(), "Names")
	return cmd
}

// maxSpans limits the calls that become spans: they are kept in memory.
const maxSpans = 100_000

// exportFlags are the flags of export.
type exportFlags struct {
	parquet   string
	partition string

	otlp    string
	slowest count
	slower  time.Duration

	pyroscope, parca string

	symbols symbolFiles
}

// check checks the flags.
func (f *exportFlags) check(paths []string) error {
	switch {
	case f.parquet == "" && f.partition != "":
		return errors.New("--partition: want --parquet DIR as well")
	case f.parquet == "" && f.otlp == "" && f.pyroscope == "" && f.parca == "":
		return errors.New("want --parquet FILE, --otlp FILE|URL, --pyroscope URL or --parca URL")
	case f.parquet == "-" && f.otlp == "-":
		return errors.New("--parquet and --otlp: only one of them can be standard output")
	case f.slowest > maxSpans:
		return fmt.Errorf("--slowest %d: want at most %d", f.slowest, maxSpans)
	}
	for flag, address := range map[string]string{"pyroscope": f.pyroscope, "parca": f.parca} {
		if address != "" && !push.IsURL(address) {
			return fmt.Errorf("--%s %s: want an address such as http://localhost:4040", flag, address)
		}
	}
	if err := oneOfEach(paths); err != nil {
		return err
	}
	return errors.Join(notATrace("parquet", f.parquet, paths), notATrace("otlp", f.otlp, paths))
}

// run makes all exports that the flags ask for. It prints the warnings about the traces once.
func (f *exportFlags) run(ctx context.Context, out, errOut io.Writer, paths []string, traces *packed.Opener) error {
	if err := f.check(paths); err != nil {
		return usageError{err}
	}
	opts := analyze.Options{Open: traces.Open}
	source, err := f.symbols.open(&opts)
	if err != nil {
		return err
	}
	defer source.Close()
	var warnings []analyze.Warning
	warn := func(list []analyze.Warning) {
		for _, w := range list {
			if !slices.Contains(warnings, w) {
				warnings = append(warnings, w)
			}
		}
	}
	err = f.writeTable(out, paths, opts, warn)
	if err == nil && f.otlp != "" {
		err = f.writeSpans(ctx, out, paths, opts, warn)
	}
	if err == nil && f.pyroscope+f.parca != "" {
		err = f.sendProfiles(ctx, paths, opts, warn)
	}
	printWarnings(errOut, append(warnings, f.symbols.unused(source)...))
	return err
}

// writeTable makes the export of --parquet.
func (f *exportFlags) writeTable(out io.Writer, paths []string, opts analyze.Options, warn func([]analyze.Warning)) error {
	var warnings []analyze.Warning
	var err error
	switch {
	case f.parquet == "":
	case f.partition != "":
		warnings, err = f.writeDataset(paths, opts)
	case f.parquet == "-":
		warnings, err = writeCalls(out, paths, opts)
	default:
		err = intoFile("parquet", f.parquet, func(w io.Writer) error {
			var err error
			warnings, err = writeCalls(w, paths, opts)
			return err
		})
	}
	warn(warnings)
	return err
}

// writeCalls writes the calls of traces as one file.
func writeCalls(w io.Writer, paths []string, opts analyze.Options) ([]analyze.Warning, error) {
	table, err := fleet.NewCallWriter(w)
	if err != nil {
		return nil, err
	}
	warnings, err := analyze.EachCall(paths, opts, table.Write)
	if err != nil {
		return nil, err
	}
	return warnings, table.Close()
}

// writeDataset writes the calls of traces into a directory.
func (f *exportFlags) writeDataset(paths []string, opts analyze.Options) ([]analyze.Warning, error) {
	keys, err := fleet.ParseKeys(f.partition)
	switch {
	case err != nil:
		return nil, usageError{fmt.Errorf("--partition: %w", err)}
	case f.parquet == "-":
		return nil, usageError{errors.New("--partition writes a directory: want --parquet DIR")}
	}
	dataset, err := fleet.NewDataset(f.parquet, keys)
	if err != nil {
		return nil, fmt.Errorf("--parquet %s: %w", f.parquet, err)
	}
	warnings, err := analyze.EachCall(paths, opts, dataset.Write)
	if err != nil {
		return nil, errors.Join(err, dataset.Abort())
	}
	return warnings, dataset.Close()
}
