//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"utrace/record"
)

// overhead is a flag such as 5% or 0.05.
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
		return fmt.Errorf("%q is not a part of the CPU time such as 5%% or 0.05, nor none", text)
	}
	*o = overhead(part)
	return nil
}

// calibrator returns the command line that measures what probes cost, nil if this program's file is not known.
func calibrator() []string {
	exe, err := os.Executable()
	if err != nil {
		return nil
	}
	return []string{exe, "doctor", "--calibrate"}
}

// defaultOverhead is the limit where utrace itself has chosen what to probe.
const defaultOverhead = 0.05

// mostTakenOff is how many functions that were taken off the summary names.
const mostTakenOff = 5

// printTakenOff says what was taken off while recording.
func printTakenOff(w io.Writer, list []record.TakenOff) {
	for i, off := range list {
		if i == mostTakenOff {
			fmt.Fprintf(w, "utrace: %d more functions were taken off; the report marks them\n", len(list)-i)
			break
		}
		fmt.Fprintf(w, "utrace: %s was taken off after %.2f s and %s hits: %s\n", escape(off.Name), float64(off.Off.TimeNs)/1e9, humanize.Comma(int64(off.Off.Hits)), escape(off.Off.Reason))
	}
	if len(list) > 0 {
		fmt.Fprintln(w, "utrace: a larger --max-overhead keeps them longer (none: to the end, at any cost)")
	}
}
