//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dustin/go-humanize/english"

	"utrace/record"
	"utrace/record/plan"
)

func newPlanCommand() *cobra.Command {
	var f targetFlags
	cmd := &cobra.Command{
		Use:   "plan [flags] [-- COMMAND ARG...]",
		Short: "Show what record would attach, and what it would leave out and why",
		Long: `Resolve the probes as utrace record does with the same flags, attach nothing, run
nothing, and print each function with its address, how its return would be seen, and the file;
then what would be left out, and why.

SITE is how many bytes behind the function's entry its breakpoint stands, at the cheapest instruction
that is safe; CLASS what the kernel makes of that instruction:
  nop5      a 5-byte nop, which it replaces by a call: no trap (Linux 6.18)
  emulated  push, jmp, call, nop: it does the instruction's work itself
  stepped   any other: it runs a copy, with a second trap behind it
COST is what a call takes longer while its entry and return are recorded, typically, on such a machine, without --stack
and --slower-than.
RETURN is how the return of a function is seen:
  uretprobe  the kernel replaces the return address: cheap
  ret        a probe on each return instruction, where exceptions may unwind through the function
             or the thread may switch stacks: a replaced return address would break the program
  none       not at all: calls are counted, without a duration
  static     a static probe ends the span
  -          a single instruction: passes are counted

` + probeHelp,
		Example: `  sudo utrace plan -p 1234 -e 'c:malloc'
  utrace plan -e '/usr/bin/python3.11:PyEval_*'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := f.config(args)
			if err != nil {
				return err
			}
			p, err := plan.New(cfg.Config)
			if err != nil {
				return recordError(err)
			}
			defer p.Close()
			if len(p.Modules) == 0 {
				return recordError(errors.Join(p.Pending...))
			}
			out := bufio.NewWriter(cmd.OutOrStdout())
			if err := printPlan(out, p); err != nil {
				return err
			}
			return out.Flush()
		},
	}
	f.add(cmd.Flags())
	// The flags of record that do not change what is attached are accepted, so
	// that a command line can be tried by exchanging one word.
	newRecordCommand().Flags().VisitAll(func(flag *pflag.Flag) {
		if cmd.Flags().Lookup(flag.Name) == nil {
			flag.Hidden = true
			cmd.Flags().AddFlag(flag)
		}
	})
	return cmd
}

func printPlan(w io.Writer, p *plan.Plan) error {
	costs := record.TypicalCosts()
	for _, text := range p.Choices() {
		fmt.Fprintf(w, "# %s\n", escape(text))
	}
	files := map[string]bool{}
	for _, m := range p.Modules {
		files[m.Path] = true
		where := "every process"
		if len(m.PIDs) > 0 {
			where = "process " + strings.Trim(strings.ReplaceAll(fmt.Sprint(m.PIDs), " ", ", "), "[]")
		} else if p.Command() {
			where = "the command"
		}
		if p.Follow() {
			where += " and its children"
		}
		if m.PerProcess {
			where += ", one by one, where it does not break them"
		}
		fmt.Fprintf(w, "# %s, build ID %s, in %s: %s\n", escape(m.Path), orNone(m.BuildID), where, english.Plural(len(m.Funcs), "function", ""))
		if m.Hazard != "" {
			fmt.Fprintf(w, "# %s: returns are seen by their instructions\n", escape(m.Hazard))
		}
		fmt.Fprintf(w, "# %-16s %-5s %-9s %-8s %-9s %s\n", "ADDRESS", "SITE", "CLASS", "COST", "RETURN", "FUNCTION")
		for _, fn := range m.Funcs {
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
			fmt.Fprintf(w, "0x%016x +%-4d %-9s %-8s %-9s %s%s\n", fn.Addr, fn.Site-fn.Addr, fn.Class, costs.Call(fn), by, escape(fn.Name), escape(note))
			for _, value := range fn.Values {
				fmt.Fprintf(w, "#   %s\n", escape(value))
			}
		}
	}
	if len(p.Startup) > 0 {
		fmt.Fprintf(w, "# start-up code, probed only if named: %s\n", escape(strings.Join(p.Startup, " ")))
	}
	if len(p.LeftOut) > 0 {
		fmt.Fprintf(w, "# left out: %d\n", len(p.LeftOut))
		for _, l := range p.LeftOut {
			fmt.Fprintf(w, "0x%016x %s (%s): %s\n", l.Addr, escape(l.Name), escape(l.Module), l.Reason)
		}
	}
	for _, text := range p.Problems {
		fmt.Fprintf(w, "# %s\n", escape(text))
	}
	for _, err := range p.Pending {
		fmt.Fprintf(w, "# looked for in what is executed and loaded later: %s\n", escape(err.Error()))
	}
	_, err := fmt.Fprintf(w, "# %s in %s would be probed, %d left out\n", english.Plural(p.Funcs(), "function", ""), english.Plural(len(files), "file", ""), len(p.LeftOut))
	return err
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
