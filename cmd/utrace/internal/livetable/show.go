package livetable

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"utrace/analyze"
	"utrace/analyze/render/terminal"
)

// Keys are the keys that Sort knows.
func Keys() []string { return []string{"total", "calls", "p50", "p99", "max", "errors", "name"} }

// Sort sorts the rows, the largest first, and keeps at most most of them; 0: all.
func (s *Snapshot) Sort(key string, most int) {
	value := func(r *Row) uint64 {
		switch key {
		case "calls":
			return r.Calls
		case "p50":
			return uint64(r.P50)
		case "p99":
			return uint64(r.P99)
		case "max":
			return uint64(r.Max)
		case "errors":
			return r.Errors
		case "total":
			return uint64(r.Total)
		}
		return 0
	}
	slices.SortFunc(s.Rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(value(&b), value(&a)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Module, b.Module))
	})
	if most > 0 {
		s.Rows = s.Rows[:min(most, len(s.Rows))]
	}
}

// ranked are the titles of figures, those first that a reader needs most.
func ranked() []string { return []string{"Calls", "P99", "P50", "Errors", "Calls/s", "Max", "Covered"} }

// Text returns the lines of a table: a header, titles, and a line for each row. To fit a width (0
// is any), it leaves out columns, last that of the sort key, and then shortens names.
func (s *Snapshot) Text(key string, width int) []string {
	names := map[string]int{}
	for i := range s.Rows {
		names[s.Rows[i].Name]++
	}
	header := fmt.Sprintf("%s  %.1f s  %s calls", s.Time.Format(time.TimeOnly), s.Took.Seconds(), humanize.Comma(int64(s.Calls)))
	if s.Lost > 0 {
		header += fmt.Sprintf("  %s events lost: calls are missing", humanize.Comma(int64(s.Lost)))
	}
	cells := [][]string{{"Calls", "Calls/s", "P50", "P99", "Max", "Errors"}}
	if s.Windows {
		cells[0] = append(cells[0], "Covered")
	}
	ranks := make([]int, len(cells[0]))
	for i, title := range cells[0] {
		if !strings.EqualFold(title, key) {
			ranks[i] = 1 + slices.Index(ranked(), title)
		}
	}
	cells[0] = append(cells[0], "Function")
	for i := range s.Rows {
		r := &s.Rows[i]
		row := []string{humanize.Comma(int64(r.Calls)), humanize.CommafWithDigits(r.Rate, 1), "-", "-", "-", humanize.Comma(int64(r.Errors))}
		if r.Max > 0 {
			row[2], row[3], row[4] = analyze.FormatDuration(r.P50), analyze.FormatDuration(r.P99), analyze.FormatDuration(r.Max)
		}
		if s.Windows {
			row = append(row, fmt.Sprintf("%.1f%%", 100*r.Covered))
		}
		name := r.Name
		if names[name] > 1 {
			name += " [" + r.Module + "]"
		}
		cells = append(cells, append(row, name))
	}

	table := terminal.Figures{Lines: cells, Ranks: ranks, MinWidth: 10, MinText: terminal.MinName}
	table.Fit(width)
	return append([]string{header}, table.Text()...)
}

// jsonSnapshot is a Snapshot as JSON.
type jsonSnapshot struct {
	Time       time.Time `json:"time"`
	IntervalNs int64     `json:"interval_ns"`
	Lost       uint64    `json:"lost"`
	Functions  []jsonRow `json:"functions"`
}

type jsonRow struct {
	Name     string  `json:"name"`
	Module   string  `json:"module"`
	Calls    uint64  `json:"calls"`
	Rate     float64 `json:"calls_per_s"`
	TotalNs  int64   `json:"total_ns"`
	P50Ns    int64   `json:"p50_ns"`
	P99Ns    int64   `json:"p99_ns"`
	MaxNs    int64   `json:"max_ns"`
	Errors   uint64  `json:"errors"`
	Covered  float64 `json:"covered"`
	AllCalls uint64  `json:"calls_since_start"`
}

// WriteJSON writes the snapshot as one line of JSON.
func (s *Snapshot) WriteJSON(w io.Writer) error {
	out := jsonSnapshot{Time: s.Time, IntervalNs: s.Took.Nanoseconds(), Lost: s.Lost, Functions: []jsonRow{}}
	for i := range s.Rows {
		r := &s.Rows[i]
		out.Functions = append(out.Functions, jsonRow{
			Name: r.Name, Module: r.Module, Calls: r.Calls, Rate: r.Rate, TotalNs: r.Total.Nanoseconds(), P50Ns: r.P50.Nanoseconds(),
			P99Ns: r.P99.Nanoseconds(), MaxNs: r.Max.Nanoseconds(), Errors: r.Errors, Covered: r.Covered, AllCalls: r.AllCalls,
		})
	}
	return json.NewEncoder(w).Encode(out)
}
