//go:build man

package main

import (
	"bufio"
	"embed"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manual has what the pages of commands say beyond their helps, in the same form, one file a
// command.
//
//go:embed manual
var manual embed.FS

// manPage is a manual page.
type manPage struct {
	name    string // utrace-record
	section int
	cmd     *cobra.Command
}

// pages lists the pages of the commands (section 1) and topics (section 7).
func pages(root *cobra.Command) []manPage {
	list := []manPage{{"utrace", 1, root}}
	for _, cmd := range root.Commands() {
		switch {
		case cmd.IsAdditionalHelpTopicCommand():
			list = append(list, manPage{"utrace-" + cmd.Name(), 7, cmd})
		case cmd.IsAvailableCommand():
			list = append(list, manPage{"utrace-" + cmd.Name(), 1, cmd})
		}
	}
	return list
}

func (p manPage) file() string { return fmt.Sprintf("%s.%d", p.name, p.section) }

// write writes a page as roff, with the macros of man(7).
func (p manPage) write(out io.Writer, all []manPage) error {
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, ".TH %s %d \"\" \"utrace %s\" \"utrace manual\"\n", strings.ToUpper(p.name), p.section, roff(version()))
	fmt.Fprintln(w, ".nh\n.ad l")
	fmt.Fprintf(w, ".SH NAME\n%s \\- %s\n", roff(p.name), roff(lowerFirst(p.cmd.Short)))

	if p.section == 1 {
		fmt.Fprintf(w, ".SH SYNOPSIS\n\\fB%s\\fR\n", roff(usageLine(p.cmd)))
	}
	fmt.Fprintln(w, ".SH DESCRIPTION")
	writeBlocks(w, parseText(p.cmd.Long))
	if p.section == 1 {
		writeCommands(w, p.cmd)
		writeOptions(w, flagGroups(p.cmd))
	}
	if text, err := manual.ReadFile("manual/" + p.cmd.Name() + ".txt"); err == nil {
		fmt.Fprintln(w, ".SH DETAILS")
		writeBlocks(w, parseText(string(text)))
	}
	if p.cmd.Example != "" {
		fmt.Fprintln(w, ".SH EXAMPLES")
		writeLiteral(w, strings.Split(strings.Trim(p.cmd.Example, "\n"), "\n"))
	}
	if p.section == 1 {
		writeExitStatus(w, p.cmd.Name())
	}
	writeSeeAlso(w, p, all)
	return w.Flush()
}

func writeBlocks(w io.Writer, blocks []textBlock) {
	for _, b := range blocks {
		switch {
		case b.heading != "":
			fmt.Fprintf(w, ".SS %s\n", roff(b.heading))
		case b.paragraph != "":
			fmt.Fprintf(w, ".PP\n%s\n", roff(b.paragraph))
		case b.literal != nil:
			writeLiteral(w, b.literal)
		default:
			for _, item := range b.terms {
				fmt.Fprintf(w, ".TP\n\\fB%s\\fR\n%s\n", roff(item.name), roff(item.text))
			}
		}
	}
}

// writeLiteral writes lines as they are.
func writeLiteral(w io.Writer, lines []string) {
	fmt.Fprintln(w, ".PP\n.RS 4\n.nf")
	for _, line := range lines {
		fmt.Fprintln(w, roff(strings.TrimPrefix(line, "  ")))
	}
	fmt.Fprintln(w, ".fi\n.RE")
}

func writeCommands(w io.Writer, cmd *cobra.Command) {
	if cmd.HasParent() {
		return
	}
	fmt.Fprintln(w, ".SH COMMANDS")
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			fmt.Fprintf(w, ".TP\n\\fB%s\\fR\n%s\n", roff(sub.Name()), roff(sub.Short))
		}
	}
}

// writeOptions writes the flags by group; the title is left out if there is one group.
func writeOptions(w io.Writer, groups []flagGroup) {
	fmt.Fprintln(w, ".SH OPTIONS")
	for _, g := range groups {
		if len(groups) > 1 {
			fmt.Fprintf(w, ".SS %s\n", roff(g.title))
		}
		for _, f := range g.flags {
			fmt.Fprintf(w, ".TP\n%s\n%s\n", roffFlag(f), roff(strings.ReplaceAll(flagText(f), "\n", " ")))
		}
	}
}

// roffFlag is a flag with its value's name: the flag bold, the name in italics.
func roffFlag(f *pflag.Flag) string {
	name := `\fB` + roff("--"+f.Name) + `\fR`
	if f.Shorthand != "" {
		name = `\fB` + roff("-"+f.Shorthand) + `\fR, ` + name
	}
	if value, _ := pflag.UnquoteUsage(f); value != "" {
		name += ` \fI` + roff(value) + `\fR`
	}
	return name
}

func writeExitStatus(w io.Writer, command string) {
	fmt.Fprintln(w, ".SH EXIT STATUS")
	writeBlocks(w, []textBlock{{terms: []listItem{{"0", "done"}, {"1", "failed"}, {"2", "wrong usage"}}}})
	switch command {
	case "record":
		fmt.Fprintln(w, ".PP\nWith a COMMAND that has ended: its exit status, or 128 plus the number of the signal that killed it.")
	case "diff":
		fmt.Fprintln(w, ".PP\n1 also if a change meets a condition of \\-\\-fail\\-if.")
	}
}

func writeSeeAlso(w io.Writer, p manPage, all []manPage) {
	var others []string
	for _, other := range all {
		if other.name != p.name {
			others = append(others, fmt.Sprintf("\\fB%s\\fR(%d)", roff(other.name), other.section))
		}
	}
	fmt.Fprintf(w, ".SH SEE ALSO\n%s\n", strings.Join(others, ", "))
}

// roff escapes a text: backslashes and hyphens, and what a line of a request begins with.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "^", `\(ha`, "~", `\(ti`, "`", `\(ga`, "…", "...").Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}

// lowerFirst is a text as the NAME section has it: it goes on after a dash.
func lowerFirst(text string) string { return strings.ToLower(text[:1]) + text[1:] }
