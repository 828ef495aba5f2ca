package render

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"utrace/analyze"
)

// Hist writes the distribution of the complete calls of each row, as bcc's funclatency -F prints it
// (print_log2_hist in bcc's table.py). by is the Result.By of the rows. It leaves out rows without
// complete calls.
func Hist(w io.Writer, rows []analyze.Row, by string) error {
	out := bufio.NewWriter(w)
	for i := range rows {
		d, uncertain := &rows[i].Durations, rows[i].Uncertain
		if d.Count()+uncertain == 0 {
			continue
		}
		fmt.Fprintf(out, "\nFunction = %s\n", rowName(&rows[i], by))
		if d.Count() > 0 {
			hist(out, d.Octaves())
			fmt.Fprintf(out, "\navg = %d nsecs, total: %d nsecs, count: %d\n", d.Mean(), d.Sum(), d.Count())
			if rows[i].CallsError > 0 {
				fmt.Fprintf(out, "a sample: %s, which stand for about %d\n", analyze.Plural(d.Count(), "recorded call", "recorded calls"), rows[i].Calls)
			}
			if n := rows[i].Dropped; n > 0 {
				fmt.Fprintf(out, "of the calls that met their condition; %d more did not\n", n)
			}
		}
		if uncertain > 0 {
			fmt.Fprintln(out, furtherUncertain(uncertain))
		}
	}
	return out.Flush()
}

// maxNarrow is the last bucket (counted from 0) that bcc writes in narrow columns with up to 40
// stars. With later ones, it writes wider columns and up to 20 stars.
const maxNarrow = 31

func hist(w io.Writer, counts [64]uint64) {
	last, highest := 0, uint64(0)
	for i := range len(counts) {
		if counts[i] > 0 {
			last, highest = i, max(highest, counts[i])
		}
	}
	title, line, width := "     %-19s : count     distribution\n", "%10d -> %-10d : %-8d |%-*s|\n", 40
	if last > maxNarrow {
		title, line, width = "               %-29s : count     distribution\n", "%20d -> %-20d : %-8d |%-*s|\n", 20
	}
	fmt.Fprintf(w, title, "nsecs")
	for i := range last + 1 {
		low, high := uint64(1)<<i, uint64(1)<<(i+1)-1
		if i == 0 {
			low = 0
		}
		stars := int(float64(width) * float64(counts[i]) / float64(highest))
		fmt.Fprintf(w, line, low, high, counts[i], width, strings.Repeat("*", stars))
	}
}
