//go:build !linux

package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newRecordCommand() *cobra.Command {
	return newLinuxCommand("record", "Record function calls into a trace (Linux only)")
}

func newTopCommand() *cobra.Command {
	return newLinuxCommand("top", "Show a live table of the calls of functions (Linux only)")
}

func newPlanCommand() *cobra.Command {
	return newLinuxCommand("plan", "Show what record would attach, and what it would leave out and why (Linux only)")
}

func newDoctorCommand() *cobra.Command {
	return newLinuxCommand("doctor", "Show what this kernel, these privileges and this machine allow (Linux only)")
}

func completePIDs(*cobra.Command) {}

// newLinuxCommand replaces a command that needs Linux. It accepts any arguments.
func newLinuxCommand(name, short string) *cobra.Command {
	return &cobra.Command{
		Use:                name,
		Short:              short,
		Long:               short + ".",
		DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error {
			return fmt.Errorf("%s needs Linux: record there, and read the trace here with utrace analyze", name)
		},
	}
}
