package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"utrace/analyze"
	"utrace/analyze/render"
	"utrace/format/packed"
)

func newExportCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "export [flags] --parquet FILE TRACE...",
		Short: "Write the calls of traces as a table for DuckDB, ClickHouse or Spark",
		Long: `Write a Parquet file with one row per call, for your own analyses and for querying many traces
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

States:
  complete               entry and return were seen
  uncertain              events were lost during the call
  open                   still running at the end of its thread or of the trace
  replaced               its process executed another program
  unwound                its return was not seen
  cut                    utrace stopped probing its function before its return
  noreturn               the returns of the function are not probed
  hit                    an instruction or static probe, without a duration

Sums over the rows give the figures of the report; docs/exporting.md has the query.`,
		Example: `  utrace export --parquet calls.parquet trace.arrow
  utrace export --parquet week.parquet monday.arrow tuesday.arrow
  duckdb -c "select function, sum(weight), sum(weight * total_ns) from 'calls.parquet' group by all"`,
		Args: traceArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			traces := packed.NewOpener(cmd.InOrStdin())
			defer traces.Close()
			return runExport(cmd.OutOrStdout(), cmd.ErrOrStderr(), path, args, traces)
		},
	}
	cmd.Flags().StringVar(&path, "parquet", "", "write the table to `FILE` (- is standard output)")
	return cmd
}

func runExport(out, errOut io.Writer, path string, paths []string, traces *packed.Opener) error {
	if path == "" {
		return usageError{errors.New("want --parquet FILE")}
	}
	if err := oneOfEach(paths); err != nil {
		return err
	}
	if err := notATrace("parquet", path, paths); err != nil {
		return err
	}
	var warnings []analyze.Warning
	write := func(w io.Writer) error {
		table, err := render.NewParquetWriter(w)
		if err != nil {
			return err
		}
		if warnings, err = analyze.EachCall(paths, analyze.Options{Open: traces.Open}, table.Write); err != nil {
			return err
		}
		return table.Close()
	}
	var err error
	if path == "-" {
		err = write(out)
	} else {
		err = intoFile("parquet", path, write)
	}
	printWarnings(errOut, warnings)
	return err
}
