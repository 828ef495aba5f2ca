package main

import (
	"errors"
	"fmt"
	"io"

	"utrace/analyze"
	"utrace/analyze/render"
)

// flagOf names the flag that sets an option.
func flagOf(o analyze.Option) string {
	return map[analyze.Option]string{
		analyze.OptionBy:    "--by",
		analyze.OptionError: "--error",
		analyze.OptionSort:  "--sort",
	}[o]
}

// advice says by which flags to follow a hint.
func advice(h analyze.Hint) string {
	return map[analyze.Hint]string{
		analyze.RecordSched:        "record with --sched",
		analyze.RecordAllCalls:     "record without --slower-than, and without conditions on ret or duration, to keep all calls",
		analyze.RaiseOverheadLimit: "record with a larger --max-overhead, or fewer functions",
		analyze.SelectLongCalls:    "use --min for durations",
		analyze.SelectFewerCalls:   "choose with --from and --to, --min, --function or --top",
	}[h]
}

// warningText names the flags that a warning is about.
func warningText(w analyze.Warning) string { return w.In(flagOf, advice) }

// conditionText writes a condition of the recorder as its flags.
func conditionText(c analyze.Condition) string {
	if c.Probe != "" {
		return c.Probe
	}
	return "--slower-than " + analyze.FormatDuration(c.SlowerThan)
}

// words are the flags of the command line, for render.
func words() render.Words {
	return render.Words{Warning: warningText, Condition: conditionText, Hint: advice}
}

// errorText is an error that names the flags that would help.
func errorText(err error) string {
	var condition *analyze.ConditionError
	if errors.As(err, &condition) {
		return condition.In(advice)
	}
	return err.Error()
}

// printWarnings writes each warning once.
func printWarnings(w io.Writer, list []analyze.Warning) {
	printed := map[analyze.Warning]bool{}
	for _, warning := range list {
		if !printed[warning] {
			fmt.Fprintf(w, "utrace: warning: %s\n", warningText(warning))
		}
		printed[warning] = true
	}
}
