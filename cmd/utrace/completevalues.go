package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"utrace/analyze"
	"utrace/record"
)

// maxCompletions limits how many values a shell gets.
const maxCompletions = 1000

// completeFlag has a shell complete the values of a flag with those that values returns, each once
// and in order. A value may have a description (cobra.CompletionWithDesc). Values that no terminal
// should see are left out.
func completeFlag(cmd *cobra.Command, flag string, values func(prefix string) []string) {
	cmd.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
		var list []string
		for _, value := range values(prefix) {
			text, about, _ := strings.Cut(value, "\t")
			if text != "" && strings.HasPrefix(text, prefix) && analyze.Printable(text+about) == text+about {
				list = append(list, value)
			}
		}
		slices.Sort(list)
		list = slices.Compact(list)
		return list[:min(len(list), maxCompletions)], cobra.ShellCompDirectiveNoFileComp
	})
}

// completeWords has a shell complete the values of a flag with some words.
func completeWords(cmd *cobra.Command, flag string, words ...string) {
	completeFlag(cmd, flag, func(string) []string { return words })
}

// completePresets has a shell complete names of presets.
func completePresets(cmd *cobra.Command) {
	completeFlag(cmd, "preset", func(string) (names []string) {
		for _, p := range record.Presets() {
			names = append(names, cobra.CompletionWithDesc(p.Name, p.About))
		}
		return names
	})
}

// completeTraces has a shell complete the arguments of a command with traces, and the flags that
// sort, group and partition.
func completeTraces(cmd *cobra.Command) *cobra.Command {
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"arrow", "arrow.zst", "arrow.gz"}, cobra.ShellCompDirectiveFilterFileExt
	}
	if cmd.Flags().Lookup("sort") != nil {
		completeWords(cmd, "sort", analyze.SortKeys()...)
	}
	if cmd.Flags().Lookup("by") != nil {
		completeWords(cmd, "by", "pid", "tid", "comm", "unit", "container", "pod", "cgroup", "ret")
	}
	if cmd.Flags().Lookup("partition") != nil {
		completeWords(cmd, "partition", "host", "date", "host,date")
	}
	return cmd
}
