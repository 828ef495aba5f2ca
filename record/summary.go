//go:build linux

package record

import (
	"syscall"
	"time"

	"utrace/format"
	"utrace/record/internal/survey"
)

// Progress is the state of a running recording.
type Progress struct {
	Elapsed time.Duration
	Events  uint64
	Lost    uint64
	Bytes   int64
}

// Summary describes what was recorded.
type Summary struct {
	Reason      string // why the recording ended
	Duration    time.Duration
	Events      uint64
	Calls       uint64 // entries
	Sched       uint64 // rows of the scheduler, see Config.Sched
	LostSched   uint64
	Dropped     uint64 // further calls, which did not meet a condition that is decided at their return
	LostEntries uint64
	LostReturns uint64
	Overhead    time.Duration // processor time that the probes took; 0 if it was not measured
	Threads     int           // in the trace, goroutines included
	Bytes       int64
	Path        string // of the trace; "" without one: none is kept if an error ends a recording without events
	Modules     int
	Funcs       int
	LeftOut     []format.LeftOut
	Flight      *FlightFigures // nil without Config.Flight
	Survey      *SurveyFigures // nil without an overhead limit
	Warnings    []string       // what the trace lacks
	CommandPID  int
	Command     *syscall.WaitStatus // nil while the command is running, or without one
}

// SurveyFigures says how a recording has kept to its overhead limit.
type SurveyFigures = survey.Figures
