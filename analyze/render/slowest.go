package render

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"utrace/analyze"
	"utrace/format"
)

// Slowest writes the slowest calls, each with its circumstances and, in the layout of Flow, the
// calls below it.
func Slowest(w io.Writer, s *analyze.SlowCalls) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "# %d slowest of %d calls\n", len(s.Calls), s.Of)
	if s.Uncertain > 0 {
		fmt.Fprintf(out, "# %s\n", furtherUncertain(s.Uncertain))
	}
	if err := slowCalls(out, s.Calls, len(s.Trace.Files) > 1); err != nil {
		return err
	}
	return out.Flush()
}

// SlowCall writes one slow call as Slowest does.
func SlowCall(w io.Writer, c *analyze.SlowCall) error {
	out := bufio.NewWriter(w)
	if err := slowCalls(out, []analyze.SlowCall{*c}, false); err != nil {
		return err
	}
	return out.Flush()
}

// slowCalls writes calls with their flows. files says that each has its trace.
func slowCalls(out *bufio.Writer, list []analyze.SlowCall, files bool) error {
	for i := range list {
		c := &list[i]
		fmt.Fprintln(out)
		line := func(name, value string) { fmt.Fprintf(out, "# %-9s %s\n", name, value) }
		line(fmt.Sprintf("%d of %d", i+1, len(list)), analyze.FormatDuration(c.Duration)+"  "+SlowName(c))
		if files {
			line("file", c.File)
		}
		line("began", c.Began.Format(time.RFC3339Nano)+", "+analyze.FormatDuration(c.Start)+" after the start")
		line("process", strings.TrimRight(fmt.Sprintf("%d %s", c.Thread.PID, c.Process), " "))
		line("thread", strings.TrimRight(threadName(&c.Thread)+" "+c.Thread.Comm, " "))
		if c.Sched {
			line("spent", Spent(c))
		}
		if err := slowFlow(out, c); err != nil {
			return err
		}
	}
	return nil
}

// Spent says how a call spent its time, longest part first, and who ended its longest wait.
func Spent(c *analyze.SlowCall) string {
	w := &c.Waits
	type part struct {
		name string
		time time.Duration
	}
	parts := []part{{"blocked", w.Blocked}, {"runnable", w.Runnable}, {"on CPU", w.CPU(c.Duration)}, {"not known", w.Unknown}}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(b.time, a.time) })
	var list []string
	for _, p := range parts {
		if p.time > 0 {
			list = append(list, analyze.FormatDuration(p.time)+" "+p.name)
		}
	}
	text := strings.Join(list, ", ")
	if longest := c.Longest; longest.Blocked > 0 {
		text += "; longest blocked for " + analyze.FormatDuration(longest.Blocked)
		if longest.Waker.Known {
			text += ", " + longest.Waker.String()
		}
	}
	return text
}

// SlowName is a call with its values.
func SlowName(c *analyze.SlowCall) string {
	end := analyze.Step{Func: c.Function, Results: c.Results}
	return c.Function.Name + "(" + c.Args + ")" + result(&end)
}

// threadName names a thread, a goroutine or a track.
func threadName(t *format.Thread) string {
	switch {
	case t.Track != 0:
		return fmt.Sprintf("track %d of spans that overlap, first on thread %d", t.Track, t.TID)
	case t.Goroutine != 0:
		return fmt.Sprintf("goroutine %d, first on thread %d", t.Goroutine, t.TID)
	}
	return fmt.Sprint(t.TID)
}

func slowFlow(out *bufio.Writer, c *analyze.SlowCall) error {
	if len(c.Flow) > 0 {
		fmt.Fprint(out, DefaultFields().titleLine())
	}
	f := newBraces(out, DefaultFields())
	for i := range c.Flow {
		if err := f.step(&c.Flow[i]); err != nil {
			return err
		}
	}
	if err := f.flush(); err != nil {
		return err
	}
	if c.Omitted > 0 {
		fmt.Fprintf(out, "# not shown: %d calls below it; the longest took %s\n", c.Omitted, analyze.FormatDuration(c.OmittedMax))
	}
	return nil
}
