package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"utrace/analyze"
)

// Limits of what a header says about processes and probes.
const (
	maxProcesses = 20  // in the header
	maxCommand   = 100 // characters of a command line
	maxAskedFor  = 200 // characters of the probes
	maxNames     = 3   // of programs, in a line of the table
)

// processes lists the processes, unless the command is the only one.
func processes(line func(name, value string), t *analyze.Trace) {
	if len(t.Processes) < 2 && len(t.Commands) > 0 {
		return
	}
	for i := range t.Processes {
		if i == maxProcesses {
			line("process", fmt.Sprintf("and %d more", len(t.Processes)-i))
			break
		}
		line("process", processText(&t.Processes[i]))
	}
}

// processText says which process it is.
func processText(p *analyze.Process) string {
	text := fmt.Sprintf("%d %s", p.PID, p.Name)
	if command := cmp.Or(p.Command, p.Exe); command != "" {
		text += ": " + cut(command, maxCommand)
	}
	if !p.Called {
		text += " (no events)"
	}
	return text
}

// severalPrograms reports whether not all processes with events have the same name.
func severalPrograms(list []analyze.Process) bool {
	first := slices.IndexFunc(list, func(p analyze.Process) bool { return p.Called })
	return slices.ContainsFunc(list, func(p analyze.Process) bool { return p.Called && p.Name != list[first].Name })
}

// Programs names programs, and in how many processes each ran.
func Programs(list []analyze.Program) string {
	count := map[string]int{}
	var order, texts []string
	for _, p := range list {
		if count[p.Name]++; count[p.Name] == 1 {
			order = append(order, p.Name)
		}
	}
	for i, name := range order {
		switch {
		case i == maxNames:
			return strings.Join(texts, ", ") + fmt.Sprintf(" and %d more", len(order)-i)
		case count[name] > 1:
			name = fmt.Sprintf("%s (%d)", name, count[name])
		}
		texts = append(texts, name)
	}
	return strings.Join(texts, ", ")
}

// recordedCommands returns the commands that utrace started or, without any, the command lines of
// the processes that it was to record.
func recordedCommands(t *analyze.Trace) (list []string) {
	if len(t.Commands) > 0 {
		return t.Commands
	}
	for _, p := range t.Processes {
		asked := slices.ContainsFunc(t.Recordings, func(r analyze.Recording) bool { return slices.Contains(r.Meta.PIDs, p.PID) })
		if asked && p.Command != "" {
			list = append(list, p.Command)
		}
	}
	return list
}
