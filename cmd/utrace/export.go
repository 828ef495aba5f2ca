//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"utrace/analyze"
	"utrace/analyze/render"
)

func newExportCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "export [flags] --parquet FILE TRACE...",
		Short: "Write the calls of traces as a table, for DuckDB, ClickHouse, Spark",
		Long: `Export writes a Parquet file with one row a call, for analyses of your own and for
more traces than one machine wants to read. Rows come as calls end, thread by thread.

  trace, host             where it was recorded
  start_time, start_ns    when it began: by the clock (UTC), and since the start of the trace
  duration_ns, self_ns    how long it took, and without its traced callees; null if it is not complete,
                          duration_ns also if it is uncertain
  total_ns                what it adds to the total time of its function: its duration, or 0 for a
                          call inside another of its function; an outermost call that is not complete
                          stands for the complete ones inside it
  depth                   traced calls around it
  function, module, build_id, address, file, line
  pid, tid, process, thread, goroutine
  arguments, results      JSON objects, null if none were recorded
  state                   complete, uncertain (events were lost meanwhile), open (at the end of the trace), unwound (its return was not seen),
                          noreturn (its returns are not probed), hit (a point, which has no duration)

The report's figures are sums over the rows; README.md has the query.`,
		Example: `  utrace export --parquet calls.parquet trace.arrow
  utrace export --parquet week.parquet monday.arrow tuesday.arrow
  duckdb -c "select function, count(*), sum(total_ns) from 'calls.parquet' group by all"`,
		Args: traceArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runExport(cmd.OutOrStdout(), cmd.ErrOrStderr(), path, args)
		},
	}
	cmd.Flags().StringVar(&path, "parquet", "", "the `FILE` to write, - for standard output")
	return cmd
}

func runExport(out, errOut io.Writer, path string, traces []string) error {
	if path == "" {
		return usageError{errors.New("want --parquet FILE")}
	}
	if err := oneOfEach(traces); err != nil {
		return err
	}
	for _, trace := range traces {
		if sameFile(trace, path) {
			return usageError{fmt.Errorf("--parquet %s: that is one of the traces", path)}
		}
	}
	var warnings []analyze.Warning
	write := func(w io.Writer) error {
		table, err := render.NewParquetWriter(w)
		if err != nil {
			return err
		}
		if warnings, err = analyze.EachCall(traces, analyze.Options{}, table.Write); err != nil {
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
