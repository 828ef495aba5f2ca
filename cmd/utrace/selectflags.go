//go:build linux

package main

import (
	"errors"

	"github.com/spf13/pflag"

	"utrace/record/plan"
)

// addSelection adds the flags that choose processes by what they are.
func addSelection(flags *pflag.FlagSet, s *plan.Selection) {
	add := func(values *[]string, name, usage string) { flags.StringArrayVar(values, name, nil, usage) }
	add(&s.Names, "name", "record processes with a program or thread named `PATTERN`: glob, /regex/")
	add(&s.Exes, "exe", "record processes that run the program at `PATH`")
	add(&s.Users, "user", "record processes of the user `NAME` (or number)")
	add(&s.Cgroups, "cgroup", "record processes in the control group `PATH`, or in one below it")
	add(&s.Units, "unit", "record processes of the systemd unit `NAME`, such as web.service")
	add(&s.Containers, "container", "record processes in the container `NAME` (or ID); -p takes its own PIDs")
	add(&s.Pods, "pod", "record processes in the Kubernetes pod `NAMESPACE/NAME`")
}

// checkSelection refuses what cannot go together with a selection.
func checkSelection(s *plan.Selection, command []string) error {
	if s.Any() && len(command) > 0 {
		return usageError{errors.New("a COMMAND and --name, --exe, --user, --cgroup, --unit, --container or --pod exclude each other: these choose running processes")}
	}
	return nil
}
