//go:build linux

package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"utrace/record/list"
	"utrace/record/running"
)

// completeTargets has a shell complete the flags that say what to record, with what runs.
func completeTargets(cmd *cobra.Command, f *targetFlags) {
	completePIDs(cmd)
	for flag, value := range map[string]func(*running.Process) string{
		"name":      func(p *running.Process) string { return p.Name },
		"exe":       func(p *running.Process) string { return p.Exe },
		"user":      func(p *running.Process) string { return p.User },
		"cgroup":    func(p *running.Process) string { return p.Cgroup },
		"unit":      func(p *running.Process) string { return p.Unit },
		"container": func(p *running.Process) string { return p.Container },
		"pod":       func(p *running.Process) string { return p.Pod },
	} {
		completeFlag(cmd, flag, func(string) (values []string) {
			for _, p := range running.Processes() {
				values = append(values, value(&p))
			}
			return values
		})
	}
	completePresets(cmd)
	completeWords(cmd, "place", "cheapest", "entry")
	completeWords(cmd, "attach", "auto", "multi", "perf")
	probes := func(prefix string) []string { return probesOf(f.running(), prefix) }
	completeFlag(cmd, "probe", probes)
	if cmd.Flags().Lookup("until") != nil {
		completeFlag(cmd, "until", probes)
	}
}

// running returns the processes that are given or, one for each program, those that meet all
// criteria literally.
func (f *targetFlags) running() (pids []int) {
	if len(f.pids) > 0 || !f.selected.Any() {
		return f.pids
	}
	seen := map[string]bool{}
	for _, p := range running.Processes() {
		meets := !seen[p.Exe]
		for _, c := range []struct {
			wanted []string
			value  string
		}{
			{f.selected.Names, p.Name}, {f.selected.Exes, p.Exe}, {f.selected.Users, p.User}, {f.selected.Cgroups, p.Cgroup},
			{f.selected.Units, p.Unit}, {f.selected.Containers, p.Container}, {f.selected.Pods, p.Pod},
		} {
			meets = meets && (len(c.wanted) == 0 || slices.Contains(c.wanted, c.value))
		}
		if meets {
			seen[p.Exe] = true
			pids = append(pids, p.PID)
		}
	}
	return pids
}

// completePIDs has a shell complete IDs of processes.
func completePIDs(cmd *cobra.Command) {
	completeFlag(cmd, "pid", func(string) (values []string) {
		for _, p := range running.Processes() {
			values = append(values, cobra.CompletionWithDesc(strconv.Itoa(p.PID), p.Name))
		}
		return values
	})
}

// probesOf returns the functions of the programs of processes whose names begin with a prefix. With
// "usdt:" it returns the static probes of the processes.
func probesOf(pids []int, prefix string) (values []string) {
	static, isStatic := strings.CutPrefix(prefix, "usdt:")
	for _, pid := range pids {
		cfg := list.Config{Path: fmt.Sprintf("/proc/%d/exe", pid), Functions: true, Pattern: prefix + "*"}
		if isStatic {
			_, name, _ := strings.Cut(static, ":")
			cfg = list.Config{PID: pid, Pattern: "*"}
			if name != "" {
				cfg.Pattern = static + "*"
			}
		}
		found, err := list.Find(cfg)
		if err != nil {
			continue
		}
		for _, file := range found.Files {
			for _, fn := range file.Funcs {
				values = append(values, fn.Name)
			}
			for _, p := range file.Probes {
				values = append(values, "usdt:"+p.Provider+":"+p.Name)
			}
		}
	}
	return values
}
