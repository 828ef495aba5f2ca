package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// completeCompletion rewords cobra's command for completion scripts, makes it refuse unknown
// shells, and lets the scripts go where the other commands write.
func completeCompletion(cmd *cobra.Command) {
	cmd.Use = "completion bash|zsh|fish|powershell"
	cmd.Short = "Print the completion script of a shell"
	cmd.Long = "Print a script that completes utrace's commands, flags and their values in a shell. \"make install\" installs them."
	cmd.Example = `  source <(utrace completion bash)                                    # this shell
  utrace completion fish > ~/.config/fish/completions/utrace.fish     # every new shell`
	cmd.Args = knownCommand
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(*cobra.Command, []string) error {
		return usageError{errors.New("for which shell? Want bash, zsh, fish or powershell")}
	}
	for _, shell := range cmd.Commands() {
		shell.Args = usageArgs(shell.Args)
		shell.Short = "Print the completion script of " + shell.Name()
		shell.Long = "Print a script that completes utrace's commands and flags in " + shell.Name() + "."
		shell.RunE = printCompletion
	}
}

// printCompletion writes the script of a shell, which is the command's name.
func printCompletion(cmd *cobra.Command, _ []string) error {
	plain, err := cmd.Flags().GetBool("no-descriptions")
	if err != nil {
		return err
	}

	root, out := cmd.Root(), cmd.OutOrStdout()
	switch cmd.Name() {
	case "bash":
		return root.GenBashCompletionV2(out, !plain)
	case "fish":
		return root.GenFishCompletion(out, !plain)
	case "zsh":
		if plain {
			return root.GenZshCompletionNoDesc(out)
		}
		return root.GenZshCompletion(out)
	}
	if plain {
		return root.GenPowerShellCompletion(out)
	}
	return root.GenPowerShellCompletionWithDesc(out)
}
