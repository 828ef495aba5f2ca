//go:build linux

package record

import (
	"utrace/format"
	"utrace/record/internal/elffile"
	"utrace/record/internal/probe"
	"utrace/record/plan"
)

// describeFile returns the description of a file for a trace.
func describeFile(path string, file *elffile.File) format.Module {
	module := format.Module{Path: path, BuildID: file.BuildID}
	for _, seg := range file.Segments {
		module.Segments = append(module.Segments, format.Segment{Addr: uint64(seg.Addr), FileOff: uint64(seg.FileOff), Size: seg.MemSize})
	}
	return module
}

// describeFunc returns the description of a function for a trace. module is the number of its
// module there.
func describeFunc(fn *plan.Func, module format.ModuleID, goCode bool) format.Func {
	entry, ret := siteKinds(fn, goCode)
	f := format.Func{
		Name: fn.Name, Module: module, Addr: fn.Addr, Size: fn.Size, File: fn.SourceFile, Line: fn.Line,
		Hit: fn.Hit, NoReturn: !fn.Hit && fn.ReturnBy == plan.Never && len(fn.USDTSites) == 0,
		Static: fn.USDT, Args: describeArguments(fn.Args), Results: describeArguments(fn.Results),
		EntryClass: string(entry), ReturnClass: string(ret),
	}
	if fn.Symbol != fn.Name {
		f.Symbol = fn.Symbol
	}
	return f
}

// describeArguments returns the description of the recorded arguments for a trace.
func describeArguments(args []probe.Argument) []format.Arg {
	var list []format.Arg
	for _, a := range args {
		if !a.Hidden {
			list = append(list, format.Arg{Name: a.Name, Type: a.Type.Name})
		}
	}
	return list
}
