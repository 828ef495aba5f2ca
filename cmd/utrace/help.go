package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is the width of help texts, in columns.
const helpWidth = 100

// groupKey is the annotation of a flag that holds the title of its group.
const groupKey = "utrace_group"

// moreKey is the annotation of a command that holds the lines below its flags: where to read on.
const moreKey = "utrace_more"

// endGroup puts the flags that were added since the last call under a title of the help.
func endGroup(flags *pflag.FlagSet, title string) {
	flags.SortFlags = false
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Annotations[groupKey] == nil {
			flags.SetAnnotation(f.Name, groupKey, []string{title})
		}
	})
}

// flagGroup is the flags under one title of the help.
type flagGroup struct {
	title string
	flags []*pflag.Flag
}

// flagGroups returns the groups of a command's visible flags, in the order of their first flags. A
// flag without a group, --help, is in the last one.
func flagGroups(cmd *cobra.Command) []flagGroup {
	cmd.InitDefaultHelpFlag()
	cmd.Flags().Lookup("help").Usage = "show this help"
	cmd.Flags().SortFlags = false

	var groups []flagGroup
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		title := "Flags"
		if len(groups) > 0 {
			title = groups[len(groups)-1].title
		}
		if names := f.Annotations[groupKey]; len(names) > 0 {
			title = names[0]
		}
		i := slices.IndexFunc(groups, func(g flagGroup) bool { return g.title == title })
		if i < 0 {
			i = len(groups)
			groups = append(groups, flagGroup{title: title})
		}
		groups[i].flags = append(groups[i].flags, f)
	})
	return groups
}

// printHelp writes the help of a command or topic to standard output.
func printHelp(cmd *cobra.Command, _ []string) {
	w := bufio.NewWriter(cmd.OutOrStdout())
	defer w.Flush()

	text := cmd.Long
	if text == "" {
		text = cmd.Short
	}
	printText(w, text)
	if cmd.IsAdditionalHelpTopicCommand() {
		return
	}

	fmt.Fprintf(w, "\nUsage:\n  %s\n", usageLine(cmd))
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", strings.Trim(cmd.Example, "\n"))
	}
	printCommands(w, cmd)
	printFlags(w, flagGroups(cmd))
	if more := cmd.Annotations[moreKey]; more != "" {
		fmt.Fprintf(w, "\nMore:\n%s\n", strings.Trim(more, "\n"))
	}
}

// usageLine is how a command is called.
func usageLine(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() && !cmd.HasParent() {
		return cmd.CommandPath() + " COMMAND [flags]"
	}
	return cmd.UseLine()
}

// printCommands lists the subcommands by group, and then the topics.
func printCommands(w io.Writer, cmd *cobra.Command) {
	for _, group := range cmd.Groups() {
		fmt.Fprintf(w, "\n%s\n", group.Title)
		for _, sub := range cmd.Commands() {
			if sub.GroupID == group.ID && (sub.IsAvailableCommand() || sub.Name() == "help") {
				fmt.Fprintf(w, "  %-12s %s\n", sub.Name(), sub.Short)
			}
		}
	}

	title := "\nTopics:\n"
	for _, sub := range cmd.Commands() {
		if sub.IsAdditionalHelpTopicCommand() {
			fmt.Fprintf(w, "%s  %-12s %s\n", title, "help "+sub.Name(), sub.Short)
			title = ""
		}
	}
}

// printFlags lists flags by group, with their descriptions in one column.
func printFlags(w io.Writer, groups []flagGroup) {
	column := 0
	for _, g := range groups {
		for _, f := range g.flags {
			column = max(column, utf8.RuneCountInString(flagName(f))+2)
		}
	}
	for _, g := range groups {
		fmt.Fprintf(w, "\n%s:\n", g.title)
		for _, f := range g.flags {
			name := flagName(f)
			for _, line := range wrap(flagText(f), helpWidth-column) {
				fmt.Fprintf(w, "%-*s%s\n", column, name, line)
				name = ""
			}
		}
	}
}

// flagName is a flag with its value's name: "  -p, --pid PID".
func flagName(f *pflag.Flag) string {
	name := "      --" + f.Name
	if f.Shorthand != "" {
		name = "  -" + f.Shorthand + ", --" + f.Name
	}
	if value, _ := pflag.UnquoteUsage(f); value != "" {
		name += " " + value
	}
	return name
}

// flagText is the description of a flag, with its default.
func flagText(f *pflag.Flag) string {
	_, text := pflag.UnquoteUsage(f)
	if strings.Trim(f.DefValue, "0[]") != "" && f.DefValue != "false" {
		text += " (default " + f.DefValue + ")"
	}
	return text
}

// wrap breaks a text into lines of at most width columns, and where it has line breaks.
func wrap(text string, width int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		line := ""
		for _, word := range strings.Fields(paragraph) {
			if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
				lines = append(lines, line)
				line = ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		lines = append(lines, line)
	}
	return lines
}
