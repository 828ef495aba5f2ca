package ldso

import (
	"debug/elf"
	"fmt"
	"strings"

	"golang.org/x/sys/cpu"
)

// defaultDirs are the directories that distributions build into ld.so. Those of Debian's multiarch
// come first.
func defaultDirs(machine elf.Machine) []string {
	triple := "x86_64-linux-gnu"
	if machine == elf.EM_AARCH64 {
		triple = "aarch64-linux-gnu"
	}
	return []string{"/lib/" + triple, "/usr/lib/" + triple, "/lib64", "/usr/lib64", "/lib", "/usr/lib"}
}

// hwcapDirs are the subdirectories that ld.so (glibc 2.33 and newer) tries in each directory, best
// first. The last is the directory itself.
func hwcapDirs(machine elf.Machine) []string {
	var dirs []string
	if machine == elf.EM_X86_64 {
		for level := cpuLevel(); level >= 2; level-- {
			dirs = append(dirs, fmt.Sprintf("glibc-hwcaps/x86-64-v%d", level))
		}
	}
	return append(dirs, "")
}

// hwcapRank ranks the files of one library, best highest. An ordinary file has 0, one that this
// processor cannot run -1.
func hwcapRank(path string, machine elf.Machine) int {
	_, rest, found := strings.Cut(path, "/glibc-hwcaps/")
	if !found {
		return 0
	}
	for level := range 5 {
		if strings.HasPrefix(rest, fmt.Sprintf("x86-64-v%d/", level)) && machine == elf.EM_X86_64 && level <= cpuLevel() {
			return level
		}
	}
	return -1
}

// cpuLevel is the x86-64 micro-architecture level of this processor (x86-64 psABI, table 3.1), as
// far as Go knows its features. It is 0 on other machines.
func cpuLevel() int {
	x := cpu.X86
	switch {
	case !(x.HasSSE3 && x.HasSSSE3 && x.HasSSE41 && x.HasSSE42 && x.HasPOPCNT && x.HasCX16):
		return 0
	case !(x.HasAVX && x.HasAVX2 && x.HasBMI1 && x.HasBMI2 && x.HasFMA):
		return 2
	case !(x.HasAVX512F && x.HasAVX512BW && x.HasAVX512CD && x.HasAVX512DQ && x.HasAVX512VL):
		return 3
	}
	return 4
}
