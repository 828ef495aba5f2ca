package analyze

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"utrace/format"
)

// Recording is what a trace says about itself: what it is of, how it was recorded, and what it
// lacks. All text is fit for a terminal.
type Recording struct {
	File      string
	Meta      format.Meta
	Duration  time.Duration
	Reason    string    // why it ended, "" if the trace was not completed
	Processes []Process // in the order of the file
	Events    uint64
	Lost      uint64 // events that a probe saw, but that are not in the file
	LeftOut   []format.LeftOut
	Survey    *Survey // nil if all functions were probed all the time
}

// addRecording adds a trace. Its times must have been added.
func (s *summary) addRecording(path string, src *source) {
	r := Recording{
		File: FileName(path), Meta: src.meta, Duration: s.trace.Durations[len(s.trace.Durations)-1],
		Processes: src.listProcesses(), Events: src.events, Lost: lostEvents(&src.tables),
		LeftOut: src.tables.LeftOut, Survey: surveyOf(src),
	}
	if end := src.tables.End; end != nil {
		r.Reason = end.Reason
	}
	s.trace.Recordings = append(s.trace.Recordings, r)
	s.trace.Survey = s.trace.Survey.plus(r.Survey)
}

// listProcesses returns the processes of a trace in the order of the file.
func (s *source) listProcesses() []Process {
	list := make([]Process, len(s.tables.Processes))
	for i, p := range s.tables.Processes {
		list[i] = Process{
			PID: p.PID, Name: p.Comm, Command: strings.Join(p.Args, " "), Exe: p.Exe,
			Cgroup: p.Cgroup, Unit: p.Unit, Container: p.Container, Pod: p.Pod, Called: s.called[i],
		}
	}
	return list
}

// AskedFor says what was to be probed: probes as typed, then presets.
func (r *Recording) AskedFor() []string {
	list := slices.Clone(r.Meta.Probes)
	for _, name := range r.Meta.Presets {
		text := "preset " + name
		if r.Meta.Chosen {
			text += " (chosen by utrace)"
		}
		list = append(list, text)
	}
	isIncluded := func(text string) bool { return !strings.HasPrefix(text, "!") }
	if !slices.ContainsFunc(list, isIncluded) {
		list = append([]string{"all functions of the program"}, list...)
	}
	return list
}

// AskedFor says what was to be probed in any of the recordings.
func (t *Trace) AskedFor() (list []string) {
	for i := range t.Recordings {
		for _, text := range t.Recordings[i].AskedFor() {
			list = appendNew(list, text)
		}
	}
	return list
}

// recordingID identifies a recording, wherever its file lies: the second in which it started, and a
// hash of where, when and how it was started.
func recordingID(m *format.Meta) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %d %d %q %d", m.Host, m.Start.WallNs, m.Start.MonoNs, m.Args, m.PIDs)
	return time.Unix(0, m.Start.WallNs).UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(h.Sum(nil)[:6])
}

// ReadMeta returns the facts that a trace begins with. All text is fit for a terminal.
func ReadMeta(path string, opts Options) (format.Meta, error) {
	r, err := opts.open(path)
	if err != nil {
		return format.Meta{}, err
	}
	return printableMeta(r.Meta()), r.Close()
}
