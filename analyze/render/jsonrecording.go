package render

import (
	"time"

	"utrace/analyze"
)

// jsonProcess is a process with events, or one that was to be recorded.
type jsonProcess struct {
	PID     int    `json:"pid"`
	Name    string `json:"name"`
	Command string `json:"command"` // its command line; "": unknown
	Exe     string `json:"exe"`     // path of its program; "": unknown

	Cgroup    string `json:"cgroup,omitempty"`    // path of its control group, unless that is the root or unknown
	Unit      string `json:"unit,omitempty"`      // of systemd, if it is in one
	Container string `json:"container,omitempty"` // name, or the first digits of its ID
	Pod       string `json:"pod,omitempty"`       // NAMESPACE/NAME
	Called    bool   `json:"called"`              // it has events
}

// jsonRecording says how a trace was recorded. A limit of 0 is none.
type jsonRecording struct {
	File               string   `json:"file"`
	Host               string   `json:"host"`
	Kernel             string   `json:"kernel"`
	Arch               string   `json:"arch"`
	CPUs               int      `json:"cpus"`
	Recorder           string   `json:"recorder"` // version of utrace
	Args               []string `json:"args"`     // command line of utrace
	Command            []string `json:"command"`  // that utrace started
	PIDs               []int    `json:"pids"`     // that were to be recorded
	Probes             []string `json:"probes"`   // as typed
	Presets            []string `json:"presets"`
	Chosen             bool     `json:"chosen"` // utrace chose what to probe
	Follow             bool     `json:"follow"`
	Sched              bool     `json:"sched"`
	Stacks             bool     `json:"stacks"`
	MaxDurationNs      int64    `json:"max_duration_ns"`
	MaxBytes           int64    `json:"max_bytes"`
	MaxOverheadPercent float64  `json:"max_overhead_percent"`
	SlowerThanNs       int64    `json:"slower_than_ns"`
	RingBytes          int      `json:"ring_bytes"`
	Start              string   `json:"start"` // RFC 3339, UTC
	DurationNs         int64    `json:"duration_ns"`
	Reason             string   `json:"reason"` // why it ended; "": the trace was not completed
	Events             uint64   `json:"events"`
	Lost               uint64   `json:"lost"`
	LeftOut            int      `json:"left_out"`

	Labels map[string]string `json:"labels,omitempty"` // that the user gave
}

func newJSONProcesses(list []analyze.Process) []jsonProcess {
	out := []jsonProcess{}
	for _, p := range list {
		out = append(out, jsonProcess(p))
	}
	return out
}

func newJSONRecordings(list []analyze.Recording) []jsonRecording {
	out := []jsonRecording{}
	for i := range list {
		r := &list[i]
		m := &r.Meta
		out = append(out, jsonRecording{
			File: r.File, Host: m.Host, Kernel: m.Kernel, Arch: m.Arch, CPUs: m.CPUs, Recorder: m.Recorder, Args: m.Args, Command: m.Command, Labels: m.Labels,
			PIDs: append([]int{}, m.PIDs...), Probes: m.Probes, Presets: m.Presets, Chosen: m.Chosen, Follow: m.Follow, Sched: m.Sched, Stacks: m.Stacks,
			MaxDurationNs: m.DurationNs, MaxBytes: m.MaxBytes, MaxOverheadPercent: m.MaxOverheadPercent, SlowerThanNs: m.SlowerThanNs,
			RingBytes: m.RingBytes, Start: startOf(r).Format(jsonTime), DurationNs: int64(r.Duration), Reason: r.Reason,
			Events: r.Events, Lost: r.Lost, LeftOut: len(r.LeftOut),
		})
	}
	return out
}

// startOf is when a recording started.
func startOf(r *analyze.Recording) time.Time { return time.Unix(0, r.Meta.Start.WallNs).UTC() }
