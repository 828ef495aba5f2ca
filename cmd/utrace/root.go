package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "utrace",
		Short: "Record the function calls of running programs, and analyse them",
		Long: `utrace attaches eBPF probes to functions of running programs, without a rebuild or a restart. It
records every call into a file, and rebuilds from the file the flow of calls and their latencies.`,
		Example: `  sudo utrace record -d 30s -p PID       record the functions of a process
  utrace analyze trace.arrow             where does the time go?
  utrace list -p PID                     which static probes does a process have?
  sudo utrace doctor                     does recording work on this machine?`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          knownCommand,
		RunE: func(cmd *cobra.Command, args []string) error {
			cmd.Help()
			return usageError{errors.New("no command given")}
		},
	}
	root.Flags().BoolP("version", "V", false, "print the version")
	root.SetVersionTemplate("utrace {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(printHelp)
	root.SuggestionsMinimumDistance = 2

	addGroup(root, "Record", newRecordCommand(), newTopCommand(), newPlanCommand(), newListCommand(), newDoctorCommand())
	addGroup(root, "Read traces", completeTraces(newAnalyzeCommand()), completeTraces(newViewCommand()),
		completeTraces(newDiffCommand()), completeTraces(newExportCommand()), completeTraces(newSymbolsCommand()))
	addGroup(root, "Other", newVersionCommand())
	root.SetHelpCommandGroupID("Other")
	root.SetCompletionCommandGroupID("Other")
	root.AddCommand(newTopics()...)
	root.AddCommand(newHabitCommands()...)
	completeBuiltins(root)
	return root
}

// addGroup adds commands that the help shows under a title.
func addGroup(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title + ":"})
	for _, cmd := range commands {
		cmd.GroupID = title
	}
	root.AddCommand(commands...)
}

// knownCommand refuses words that are no command.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q", args[0])
	var near []string
	for _, name := range cmd.SuggestionsFor(args[0]) {
		near = append(near, fmt.Sprintf("%q", cmd.CommandPath()+" "+name))
	}
	if len(near) > 0 {
		text += ": did you mean " + strings.Join(near, " or ") + "?"
	}
	return usageError{errors.New(text)}
}

// completeBuiltins makes cobra's own commands, help and completion, refuse unknown arguments like
// the other commands.
func completeBuiltins(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			completeHelp(root, cmd)
		case "completion":
			completeCompletion(cmd)
		}
	}
}

func completeHelp(root, help *cobra.Command) {
	help.Use = "help [COMMAND | TOPIC]"
	help.Short = "Show the help of a command or topic"
	help.Long = "Show the help of a command, like --help, or of a topic."
	help.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
		for _, cmd := range root.Commands() {
			if len(args) == 0 && (cmd.IsAvailableCommand() || cmd.IsAdditionalHelpTopicCommand()) {
				names = append(names, cobra.CompletionWithDesc(cmd.Name(), cmd.Short))
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	help.Args = func(_ *cobra.Command, args []string) error {
		found, rest, err := root.Find(args)
		if err != nil || !found.HasSubCommands() {
			return err
		}
		return knownCommand(found, rest)
	}
}

// usageArgs makes the errors of a check of arguments usage errors.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}
