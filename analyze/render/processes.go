package render

import (
	"fmt"
	"slices"
	"strings"

	"utrace/analyze"
)

// Limits of what a report says about processes.
const (
	maxProcesses = 20  // in the header
	maxCommand   = 100 // characters of a command line
	maxNames     = 3   // of programs, in a line of the table
)

// processes lists the processes if there are several.
func processes(line func(name, value string), list []analyze.Process) {
	if len(list) < 2 {
		return
	}
	for i, p := range list {
		if i == maxProcesses {
			line("process", fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		text := fmt.Sprintf("%d %s", p.PID, p.Name)
		if p.Command != "" {
			text += ": " + cut(p.Command, maxCommand)
		}
		line("process", text)
	}
}

// severalNames reports whether not all processes have the same name.
func severalNames(list []analyze.Process) bool {
	return slices.ContainsFunc(list, func(p analyze.Process) bool { return p.Name != list[0].Name })
}

// programs names programs, and in how many processes each ran.
func programs(list []analyze.Program) string {
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
