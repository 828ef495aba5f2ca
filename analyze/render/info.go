package render

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"utrace/analyze"
)

// Info says of each trace what it is of, how it was recorded, and what it lacks.
func Info(w io.Writer, t *analyze.Trace) error {
	out := bufio.NewWriter(w)
	for i := range t.Recordings {
		if i > 0 {
			fmt.Fprintln(out)
		}
		info(out, &t.Recordings[i])
	}
	return out.Flush()
}

// info writes a fact a line. Of several facts of a kind only the first has the kind's name.
func info(w io.Writer, r *analyze.Recording) {
	facts := func(name string, values ...string) {
		for _, value := range values {
			if value != "" {
				fmt.Fprintf(w, "%-11s %s\n", name, value)
				name = ""
			}
		}
	}
	m := &r.Meta
	facts("file", r.File)
	facts("started", startOf(r).Format(time.RFC3339Nano))
	facts("duration", analyze.FormatDuration(r.Duration))
	facts("ended", endText(r))
	facts("host", fmt.Sprintf("%s, %s, %s", m.Host, m.Arch, analyze.Plural(uint64(m.CPUs), "CPU", "CPUs")))
	facts("kernel", m.Kernel)
	facts("recorder", "utrace "+m.Recorder)
	facts("started as", shellWords(m.Args))
	facts("command", shellWords(m.Command))
	facts("label", labelTexts(m.Labels)...)
	facts("process", processTexts(r.Processes)...)
	facts("asked for", r.AskedFor()...)
	facts("also", alsoTexts(r)...)
	facts("limits", limitTexts(r)...)
	facts("events", fmt.Sprintf("%d, and %d lost", r.Events, r.Lost))
	facts("survey", survey(r.Survey))
	facts("left out", leftOutTexts(r)...)
}

func endText(r *analyze.Recording) string {
	if r.Reason == "" {
		return "the trace was not completed"
	}
	return r.Reason
}

// labelTexts has a line for each label.
func labelTexts(labels map[string]string) (texts []string) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		texts = append(texts, key+"="+labels[key])
	}
	return texts
}

// processTexts has a line for each process, with the path of its program if the line lacks it.
func processTexts(list []analyze.Process) (texts []string) {
	for _, p := range list {
		text := fmt.Sprintf("%d %s", p.PID, p.Name)
		if p.Command != "" {
			text += ": " + p.Command
		}
		if p.Exe != "" && p.Command != p.Exe && !strings.HasPrefix(p.Command, p.Exe+" ") {
			text += " (" + p.Exe + ")"
		}
		text += placeText(&p)
		if !p.Called {
			text += " (no events)"
		}
		texts = append(texts, text)
	}
	return texts
}

// placeText says in which pod, container or unit a process was, or else in which control group.
func placeText(p *analyze.Process) string {
	text := ""
	add := func(what, name string) {
		if name != "" {
			text += ", " + what + " " + name
		}
	}
	add("container", p.Container)
	add("pod", p.Pod)
	if text == "" {
		add("unit", p.Unit)
	}
	if text == "" {
		add("control group", p.Cgroup)
	}
	return text
}

// alsoTexts says what was recorded besides the calls of the processes.
func alsoTexts(r *analyze.Recording) (texts []string) {
	add := func(recorded bool, text string) {
		if recorded {
			texts = append(texts, text)
		}
	}
	add(r.Meta.Follow, "children of the processes")
	add(r.Meta.Sched, "when threads run and wait")
	add(r.Meta.Stacks, "stacks of callers")
	return texts
}

// limitTexts lists the limits of a recording.
func limitTexts(r *analyze.Recording) (texts []string) {
	m := &r.Meta
	add := func(limited bool, text string, value any) {
		if limited {
			texts = append(texts, fmt.Sprintf(text, value))
		}
	}
	add(m.DurationNs > 0, "record for %v", time.Duration(m.DurationNs))
	add(m.SlowerThanNs > 0, "keep calls of at least %s", analyze.FormatDuration(time.Duration(m.SlowerThanNs)))
	add(m.MaxOverheadPercent > 0, "probes may use %v%% of the CPU time of a process", m.MaxOverheadPercent)
	add(m.MaxBytes > 0, "stop at a file of %s", humanize.IBytes(uint64(m.MaxBytes)))
	add(m.RingBytes > 0, "buffers of %s, two per CPU", humanize.IBytes(uint64(m.RingBytes)))
	return texts
}

// leftOutTexts lists the functions that were not probed.
func leftOutTexts(r *analyze.Recording) (texts []string) {
	for _, l := range r.LeftOut {
		texts = append(texts, fmt.Sprintf("%s [%s]: %s", l.Name, l.Module, l.Reason))
	}
	return texts
}

// shellWords writes a command line so that a shell reads the same words.
func shellWords(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = word
		if word == "" || strings.ContainsFunc(word, needsQuotes) {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// needsQuotes reports whether a character may mean something to a shell.
func needsQuotes(r rune) bool {
	return r < 128 && !strings.ContainsRune("-_./:=,+@%0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", r)
}
