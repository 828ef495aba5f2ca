//go:build linux

package record

import "utrace/format"

// sink takes what a recording produces: a *format.Writer, the memory of a flight recorder, or the
// calls of Config.Observer. The methods are those of a *format.Writer.
type sink interface {
	AddModule(format.Module) format.ModuleID
	AddFunc(format.Func) format.FuncID
	AddProcess(format.Process)
	AddThread(format.Thread) format.ThreadID
	AddLoss(format.Loss)
	AddLeftOut(format.LeftOut)
	AddDropped(format.Dropped)
	AddSurvey(format.Survey)
	AddProbeSet(format.ProbeSet) format.SetID
	AddWindow(format.Window)
	AddCalibration(format.Calibration)
	AddStack(format.Stack) format.StackID

	Append(*format.Event) error
	AppendArgs(e *format.Event, args string) error
	Pending() int
	PendingArgs() int
	Flush() error
	Close(format.End) error

	Events() (events, entries uint64)
	Sched() uint64
	Threads() int
	Size() int64
}
