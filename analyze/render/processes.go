package render

import (
	"fmt"
	"strings"

	"utrace/analyze"
)

// Bounds of what a report says of processes.
const (
	mostProcesses = 20  // that the header lists
	mostCommand   = 100 // characters of a command line
	mostNames     = 3   // of programs in a line of the table
)

// processes writes which processes there are, if there are several.
func processes(line func(name, value string), list []analyze.Process) {
	if len(list) < 2 {
		return
	}
	for i, p := range list {
		if i == mostProcesses {
			line("process", fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		text := fmt.Sprintf("%d %s", p.PID, p.Name)
		if p.Command != "" {
			text += ": " + cut(p.Command, mostCommand)
		}
		line("process", text)
	}
}

// processNames has the name of each process, of two programs the later one; nil where all have the same.
type processNames map[int]string

func newProcessNames(t *analyze.Trace) processNames {
	names := processNames{}
	several := false
	for _, p := range t.Processes {
		several = several || p.Name != t.Processes[0].Name
		names[p.PID] = p.Name
	}
	if !several {
		return nil
	}
	return names
}

// list names the programs of some processes.
func (n processNames) list(pids []int) string {
	count := map[string]int{}
	var order, texts []string
	for _, pid := range pids {
		if count[n[pid]]++; count[n[pid]] == 1 {
			order = append(order, n[pid])
		}
	}
	for i, name := range order {
		switch {
		case i == mostNames:
			return strings.Join(texts, ", ") + fmt.Sprintf(" and %d more", len(order)-i)
		case count[name] > 1:
			name = fmt.Sprintf("%s (%d)", name, count[name])
		}
		texts = append(texts, name)
	}
	return strings.Join(texts, ", ")
}
