//go:build linux

// Package openfiles raises the limit of open files, which the kernel counts links and maps by.
package openfiles

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// PerSite is the number of open files of a perf event and its link.
const PerSite = 2

// spareFiles is the number of files that a recorder opens for everything else.
const spareFiles = 64

// A recording opens programs and maps, those of the calibrator included, and the files that it
// probes: 88 with all options, on two CPUs. Two of its buffers are of each CPU.
const (
	startFiles       = 112
	startFilesPerCPU = 2
)

// ReserveStart raises the limit of open files to what any recording needs. Its error says what
// that is.
func ReserveStart() error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("count CPUs: %w", err)
	}
	need := startFiles + startFilesPerCPU*cpus
	if room, err := Reserve(need - spareFiles); err != nil || room >= need-spareFiles {
		return err
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	return fmt.Errorf("the limit of open files is %d, and a recording needs %d: raise it (ulimit -n %[2]d)", limit.Cur, need+spareFiles/2)
}

// Reserve raises the limit of open files, as far as necessary and permitted, for a number of
// further ones. It returns for how many there is room now. A command that was started earlier keeps
// its own limit. The process of Config.LinkHolder, which opens as many, has raised its limit.
func Reserve(files int) (room int, err error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("limit of open files: %w", err)
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0, err
	}
	used := len(open) + spareFiles
	if need := uint64(used + files); need > limit.Cur {
		// Up to fs.nr_open with CAP_SYS_RESOURCE, up to the hard limit without it.
		for _, hard := range []uint64{max(need, limit.Max), max(limit.Max, maxOpenFiles()), limit.Max} {
			raised := unix.Rlimit{Cur: min(need, hard), Max: hard}
			if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
				limit = raised
				break
			}
		}
	}
	return max(0, int(min(limit.Cur, math.MaxInt32))-used), nil
}

// maxOpenFiles returns how many files the system lets any process open.
func maxOpenFiles() uint64 {
	text, _ := os.ReadFile("/proc/sys/fs/nr_open")
	n, _ := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return n
}

// PerfRoom returns how many probes bpf.Perf can attach: each takes two open files.
func PerfRoom() (int, error) {
	room, err := Reserve(int(min(maxOpenFiles(), math.MaxInt32)))
	return room / PerSite, err
}
