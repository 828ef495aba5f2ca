//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"utrace/analyze"
	"utrace/record"
	"utrace/record/plan"
)

func newPlanCommand() *cobra.Command {
	var f targetFlags
	cmd := &cobra.Command{
		Use:   "plan [flags] [-- COMMAND ARG...]",
		Short: "Show what record would attach, and what it would leave out and why",
		Long: `Print each function that utrace record would probe with the same flags, with its address, site and
file; then the functions that it would leave out, and why. Nothing is attached or run.

SITE is the distance of the breakpoint from the function's entry, in bytes. utrace uses the cheapest
instruction that is safe.

CLASS is what the kernel does with the instruction at the site:
  nop5        a 5-byte nop, which it replaces by a call: no trap (Linux 6.18, x86-64)
  emulated    push, jmp, call or nop, whose effect it computes itself: one trap
  stepped     any other instruction: it runs a copy, and a second trap follows

COST is the typical extra time per call while entry and return are recorded. --stack and --slower-than
cost more.

RETURN is how utrace sees the function return:
  uretprobe   the kernel replaces the return address: cheap
  ret         a probe on each return instruction. It is used if exceptions may unwind through the
              function or threads may switch stacks, as a replaced return address would break the
              program
  none        not at all: calls are counted, without a duration
  static      a static probe ends the call
  -           a single instruction: its executions are counted`,
		Example: `  sudo utrace plan -p 1234 -e 'c:malloc'
  utrace plan -e '/usr/bin/python3.11:PyEval_*'`,
		Annotations: map[string]string{moreKey: probeTopics},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := f.config(args)
			if err != nil {
				return err
			}
			cfg.Debuginfod = newDebuginfod(cmd.Context(), cmd.ErrOrStderr())
			return runPlan(cmd.OutOrStdout(), cfg)
		},
	}
	flags := cmd.Flags()
	f.addWhat(flags)
	endGroup(flags, "What to record")
	f.addHow(flags)
	endGroup(flags, "How to attach")
	addIgnored(flags)
	completeTargets(cmd, &f)
	return cmd
}

// addIgnored adds the other flags of record, hidden: a command line can be tried by exchanging one
// word.
func addIgnored(flags *pflag.FlagSet) {
	var ignored recordFlags
	all := pflag.NewFlagSet("record", pflag.ContinueOnError)
	ignored.add(all)
	all.VisitAll(func(flag *pflag.Flag) {
		if flags.Lookup(flag.Name) == nil {
			flag.Hidden = true
			flags.AddFlag(flag)
		}
	})
}

func runPlan(w io.Writer, cfg record.Config) error {
	p, err := plan.New(cfg.Config)
	if err != nil {
		return recordError(err)
	}
	defer p.Close()

	out := bufio.NewWriter(w)
	printPlan(out, p)
	return out.Flush()
}

// printPlan writes the plan. Errors of w are left to its Flush.
func printPlan(w *bufio.Writer, p *plan.Plan) {
	for _, text := range p.Choices() {
		fmt.Fprintf(w, "# %s\n", analyze.Printable(text))
	}

	costs := record.TypicalCosts()
	files := map[string]bool{}
	for _, m := range p.Modules {
		files[m.Path] = true
		printPlannedModule(w, p, m)
		fmt.Fprintf(w, "# %-16s %-5s %-9s %-8s %-9s %s\n", "ADDRESS", "SITE", "CLASS", "COST", "RETURN", "FUNCTION")
		for i := range m.Funcs {
			printPlannedFunc(w, &m.Funcs[i], costs)
		}
	}

	if len(p.Startup) > 0 {
		fmt.Fprintf(w, "# start-up code, probed only if named: %s\n", analyze.Printable(strings.Join(p.Startup, " ")))
	}
	if len(p.LeftOut) > 0 {
		fmt.Fprintf(w, "# left out: %d\n", len(p.LeftOut))
		for _, l := range p.LeftOut {
			fmt.Fprintf(w, "0x%016x %s (%s): %s\n", l.Addr, analyze.Printable(l.Name), analyze.Printable(l.Module), analyze.Printable(l.Reason))
		}
	}
	for _, text := range slices.Concat(p.Problems, p.Missing) {
		fmt.Fprintf(w, "# %s\n", analyze.Printable(text))
	}
	for _, err := range p.Pending {
		fmt.Fprintf(w, "# looked for in programs and libraries that appear later: %s\n", analyze.Printable(err.Error()))
	}
	fmt.Fprintf(w, "# %s in %s would be probed, %d left out\n",
		english.Plural(p.Funcs(), "function", ""), english.Plural(len(files), "file", ""), len(p.LeftOut))
}

// printPlannedModule writes the lines above the functions of a file.
func printPlannedModule(w io.Writer, p *plan.Plan, m *plan.Module) {
	where := "every process"
	if len(m.PIDs) > 0 {
		where = "process " + strings.Trim(strings.ReplaceAll(fmt.Sprint(m.PIDs), " ", ", "), "[]")
	} else if p.Command() {
		where = "the command"
	}
	switch {
	case p.Selector != nil:
		where = "the processes that match"
	case p.Follow():
		where += " and its children"
	}
	if m.PerProcess {
		where += ", one by one, except those that it would break"
	}

	buildID := m.BuildID
	if buildID == "" {
		buildID = "none"
	}
	fmt.Fprintf(w, "# %s, build ID %s, in %s: %s\n", analyze.Printable(m.Path), buildID, where, english.Plural(len(m.Funcs), "function", ""))
	if m.Hazard != "" {
		fmt.Fprintf(w, "# %s: returns are seen by their instructions\n", analyze.Printable(m.Hazard))
	}
}

// printPlannedFunc writes the line of a function, and a line for each of its values.
func printPlannedFunc(w io.Writer, fn *plan.Func, costs record.Costs) {
	by := fn.ReturnBy.String()
	switch {
	case fn.Hit:
		by = "-"
	case fn.USDT != "":
		by = "static"
	}

	var notes []string
	for _, why := range []string{fn.SiteWhy, fn.Why} {
		if why != "" {
			notes = append(notes, why)
		}
	}
	note := ""
	if len(notes) > 0 {
		note = "  # " + strings.Join(notes, "; ")
	}

	fmt.Fprintf(w, "0x%016x +%-4d %-9s %-8s %-9s %s%s\n",
		fn.Addr, fn.Site-fn.Addr, fn.Class, costs.Call(*fn), by, analyze.Printable(fn.Name), analyze.Printable(note))
	for _, value := range fn.Values {
		fmt.Fprintf(w, "#   %s\n", analyze.Printable(value))
	}
}
