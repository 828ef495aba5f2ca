//go:build linux

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// defaultOverhead is the limit if utrace itself has chosen what to probe.
const defaultOverhead = 0.05

// sampleHz is how often a second a survey takes a sample of each processor. An even divisor would
// beat with timers of the programs.
const sampleHz = 499

// overhead is a part of a process's CPU time, a flag such as 5% or 0.05. 0 is no limit.
type overhead float64

func (o *overhead) String() string { return fmt.Sprintf("%.4g%%", 100*float64(*o)) }
func (o *overhead) Type() string   { return "PART" }
func (o *overhead) Set(text string) error {
	if text == "none" {
		*o = 0
		return nil
	}
	number, percent := strings.CutSuffix(text, "%")
	part, err := strconv.ParseFloat(number, 64)
	if percent {
		part /= 100
	}
	if err != nil || !(part >= 0 && part < 1) {
		return fmt.Errorf("%q is not a part of the CPU time: want 5%%, 0.05 or none", text)
	}
	*o = overhead(part)
	return nil
}

// ownProcess returns the command line of a helper of the recorder: of "utrace doctor" with a hidden
// flag. It is nil if the path of this program is unknown.
func ownProcess(flag string) []string {
	exe, err := os.Executable()
	if err != nil {
		return nil
	}
	return []string{exe, "doctor", flag}
}
