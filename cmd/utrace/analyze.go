package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"utrace/analyze"
	"utrace/format/packed"
)

func newAnalyzeCommand() *cobra.Command {
	var f analyzeFlags
	cmd := &cobra.Command{
		Use:   "analyze [flags] TRACE...",
		Short: "Show what a trace holds: calls, latencies, call flow, profiles",
		Long: `Read traces and show which functions were called, in which order, and where the time went. Without
a view flag, print the report: a header and a table of functions with their latencies. Several traces
give one report, and several view flags can be combined. A TRACE may be compressed with zstd or gzip;
- is standard input.

Total time counts a recursive function once per outermost call. Self time excludes traced callees.
Only complete calls have a duration; calls whose return was not seen are counted, and listed as
incomplete. The cost of the probes is subtracted from all times. Percentiles are accurate to 1%; all
other figures are exact, except those with ±.

Marks in the report:
  ~  the corrected time is smaller than the uncertainty of the probe cost
  ±  half of the 95% interval of Calls, if the function was probed at times (record --max-overhead)
  >  at least that long: calls were still running when utrace stopped probing their function
  <  at most that long: the callees are unknown
  ?  with --by: values that could not be read
  -  no figure; with --by: calls without a value`,
		Example: `  utrace analyze trace.arrow
  utrace analyze --sort p99 --top 20 trace.arrow
  utrace analyze --flow --from 1.5s --to 1.6s --tid 4711 trace.arrow
  utrace analyze --flow -f +time,module trace.arrow
  utrace analyze --slowest 5 --function 'handle_*' trace.arrow
  utrace analyze --by node --error 'ret != 0' trace.arrow
  utrace analyze --why handle_request --than P95 trace.arrow
  utrace analyze --hist handle_request trace.arrow
  utrace analyze --heatmap handle_request --heatmap-svg heat.svg trace.arrow
  utrace analyze --folded - trace.arrow | flamegraph.pl --countname ns > flame.svg
  utrace analyze --pprof out.pb.gz trace.arrow && go tool pprof -http=: out.pb.gz
  utrace analyze --html page.html trace.arrow
  utrace analyze --json monday.arrow tuesday.arrow
  utrace analyze --info trace.arrow
  ssh host cat trace.arrow.zst | utrace analyze -`,
		Annotations: map[string]string{moreKey: `
  man utrace-analyze      corrected and uncertain times, waiting, grouping, errors (docs/results.md)`},
		Args: traceArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.sparkSet, f.toSet, f.thanSet = cmd.Flags().Changed("spark"), cmd.Flags().Changed("to"), cmd.Flags().Changed("than")
			f.fieldsSet = cmd.Flags().Changed("fields")
			args = f.histArgument(args)
			traces := packed.NewOpener(cmd.InOrStdin())
			defer traces.Close()
			return runAnalyze(cmd.OutOrStdout(), cmd.ErrOrStderr(), args, traces, &f)
		},
	}
	f.add(cmd.Flags())
	return cmd
}

// runAnalyze writes the views that were asked for, and then each warning once.
func runAnalyze(out, errOut io.Writer, paths []string, traces *packed.Opener, f *analyzeFlags) error {
	opts, key, err := f.options()
	if err != nil {
		return err
	}
	opts.Open = traces.Open
	if err := oneOfEach(paths); err != nil {
		return err
	}
	source, err := f.symbols.open(&opts)
	if err != nil {
		return err
	}
	defer source.Close()
	heatmap, err := analyze.ParsePattern(f.heatmap)
	if err != nil {
		return usageError{fmt.Errorf("--heatmap: %w", err)}
	}
	views := f.views(paths, opts, key, newResults(paths, opts, key, heatmap, f))
	if err := checkFiles(paths, views); err != nil {
		return err
	}

	var warnings []analyze.Warning
	defer func() { printWarnings(errOut, warnings) }()
	for i := range views {
		w, err := views[i].show(out)
		warnings = append(warnings, w...)
		if err != nil {
			return err
		}
	}
	warnings = append(warnings, f.symbols.unused(source)...)
	return nil
}

// checkFiles refuses to write over a trace, and to write two views to one file.
func checkFiles(paths []string, views []view) error {
	files := map[string]string{}
	tables := 0
	for _, v := range views {
		if v.shown && (v.flag == "json" || v.flag == "csv") {
			if tables++; tables > 1 {
				return usageError{errors.New("--json and --csv exclude each other: both write to standard output")}
			}
		}
		if v.file == "" {
			continue
		}
		name := filepath.Clean(v.file)
		if other := files[name]; other != "" {
			return usageError{fmt.Errorf("--%s and --%s: both write to %s", other, v.flag, v.file)}
		}
		files[name] = v.flag
		if err := notATrace(v.flag, v.file, paths); err != nil {
			return err
		}
	}
	return nil
}
