package render

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"utrace/analyze"
	"utrace/analyze/render/terminal"
	"utrace/analyze/why"
)

// Why writes an explanation of slow calls: a sentence, where the additional time is, what
// distinguishes the slow calls, and some of them. Its tables fit the screen.
func Why(w io.Writer, x *why.Explanation, words Words, screen terminal.Screen) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "# function  %s: %s\n", x.Function.Name, analyze.Plural(x.Calls, "complete call", "complete calls"))
	slow, typical := sides(x)
	if x.Change {
		fmt.Fprintf(out, "# %-9s %s\n# %-9s %s\n", slow, callGroup(&x.Slow), typical, callGroup(&x.Typical))
	} else {
		fmt.Fprintf(out, "# slow      longer than %s: %s\n", analyze.FormatDuration(x.Slow.From), callGroup(&x.Slow))
		fmt.Fprintf(out, "# typical   %s to %s: %s\n", analyze.FormatDuration(x.Typical.From), analyze.FormatDuration(x.Typical.To), callGroup(&x.Typical))
	}
	if x.Incomplete > 0 {
		text := analyze.Plural(x.Incomplete, "further call", "further calls")
		if x.Cut > 0 {
			text += fmt.Sprintf("; %d of them had taken longer already when their windows ended", x.Cut)
		}
		fmt.Fprintf(out, "# unknown   how long %s took\n", text)
	}
	if x.SlowCompared < x.Slow.Calls && x.Where != nil {
		fmt.Fprintf(out, "# paths     of %d %s and %d %s calls, whose callees were probed\n", x.SlowCompared, slow, x.TypicalCompared, typical)
	}
	fmt.Fprintf(out, "\n%s\n", Reason(x))
	if x.Difference == 0 {
		return out.Flush()
	}
	if len(x.Paths) > 0 {
		fmt.Fprintf(out, "\nWhere the additional time of %s calls is:\n\n", slow)
		whyTable(out, pathLines(x), terminal.MinName, screen)
	}
	if len(x.Causes) > 0 {
		fmt.Fprintf(out, "\nWhat distinguishes slow calls:\n\n")
		whyTable(out, causeLines(x), minCause, screen)
	}
	if x.Change {
		return out.Flush()
	}
	fmt.Fprintf(out, "\n%s\n", unexplained(x, words))
	if err := slowCalls(out, x.Examples, len(x.Trace.Files) > 1); err != nil {
		return err
	}
	return out.Flush()
}

// WhyTables returns the tables of an explanation, each with its titles, and what it does not explain.
// A table without lines is nil.
func WhyTables(x *why.Explanation, words Words) (paths, causes [][]string, rest string) {
	if x.Difference == 0 {
		return nil, nil, ""
	}
	if len(x.Paths) > 0 {
		paths = pathLines(x)
	}
	if len(x.Causes) > 0 {
		causes = causeLines(x)
	}
	return paths, causes, unexplained(x, words)
}

// sides names both groups of calls.
func sides(x *why.Explanation) (slow, typical string) {
	switch {
	case x.Faster:
		return "old", "new"
	case x.Change:
		return "new", "old"
	}
	return "slow", "typical"
}

func callGroup(g *why.CallGroup) string {
	text := analyze.Plural(g.Calls, "call", "calls")
	if g.Calls > 0 {
		text += ", " + analyze.FormatDuration(g.Mean) + " on average"
	}
	return text
}

// Reason says in a sentence why the slow calls are slow, or new calls slower or faster than old ones.
func Reason(x *why.Explanation) string {
	name := x.Function.Name
	text := fmt.Sprintf("Slow calls of %s took %s longer than typical ones", name, roughTime(x.Difference))
	switch {
	case x.Change && (x.Slow.Calls == 0 || x.Typical.Calls == 0):
		return fmt.Sprintf("Only one side has complete calls of %s.", name)
	case x.Change && x.Difference == 0:
		return fmt.Sprintf("Calls of %s took equally long on both sides.", name)
	case x.Change:
		text = fmt.Sprintf("New calls of %s took %s %s than old ones", name, roughTime(x.Difference), map[bool]string{true: "less", false: "longer"}[x.Faster])
	case x.Slow.Calls == 0:
		return fmt.Sprintf("No call of %s took longer than %s.", name, analyze.FormatDuration(x.Slow.From))
	case x.Difference == 0:
		return fmt.Sprintf("No typical calls of %s to compare with: none are between P25 and P75 and faster than %s.", name, analyze.FormatDuration(x.Slow.From))
	}
	type part struct {
		share float64
		is    string
	}
	var parts []part
	if len(x.Causes) > 0 {
		parts = append(parts, part{x.Causes[0].Share.Part, "in calls where " + x.Causes[0].String()})
	}
	if x.Where != nil {
		parts = append(parts, part{x.Where.Share.Part, place(x)})
	}
	if len(parts) == 2 && parts[0].share < parts[1].share/2 {
		slices.Reverse(parts)
	}
	switch len(parts) {
	case 0:
		return text + "; nothing recorded says where."
	case 1:
		return fmt.Sprintf("%s. %s of that is %s.", text, wholePercent(parts[0].share), parts[0].is)
	}
	return fmt.Sprintf("%s. %s of that is %s; %s is %s.", text, wholePercent(parts[0].share), parts[0].is, wholePercent(parts[1].share), parts[1].is)
}

// place says where most of the difference is, and of what kind.
func place(x *why.Explanation) string {
	p := x.Where
	last, state := p.Path[len(p.Path)-1].Name, mainState(p)
	more, longer := "more", "longer"
	if x.Faster {
		more, longer = "fewer", "shorter"
	}
	switch slow, typical := sides(x); {
	case len(p.Path) == 1:
		return "in " + last + " itself and what it called" + state
	case p.MoreCalls < p.Share.Part/2:
		return "in " + longer + " calls of " + last + state
	default:
		return fmt.Sprintf("in %s calls of %s (%s for each %s call, %s for each %s one)%s", more, last, rate(p.SlowCalls), slow, rate(p.TypicalCalls), typical, state)
	}
}

// mainState says what the thread did most, as far as it is known.
func mainState(p *why.PathShare) string {
	half := p.Share.Part / 2
	switch {
	case p.Blocked >= half:
		text := ", blocked"
		if len(p.Wakers) > 0 && p.Wakers[0].Part >= p.Blocked/2 {
			text += " until " + p.Wakers[0].String() + " woke it"
		}
		return text
	case p.Runnable >= half:
		return ", waiting for a processor"
	case p.CPU >= half && p.Unknown <= p.Share.Part/10:
		return ", on a processor"
	}
	return ""
}

// rate writes a mean number of calls.
func rate(n float64) string {
	switch {
	case n == math.Trunc(n):
		return fmt.Sprintf("%.0f", n)
	case n < 0.1:
		return fmt.Sprintf("%.2g", n)
	case n < 100:
		return fmt.Sprintf("%.1f", n)
	}
	return fmt.Sprintf("%.0f", n)
}

// wholePercent writes a part of 1 in percent, never as -0%.
func wholePercent(part float64) string { return fmt.Sprintf("%d%%", int(math.Round(100*part))) }

// intervalText writes a 95% interval.
func intervalText(s *why.Share) string {
	return wholePercent(s.Low) + " to " + wholePercent(s.High)
}

// pathLines are the lines of the table of paths.
func pathLines(x *why.Explanation) [][]string {
	sched := x.Trace.Sched
	unknown := slices.ContainsFunc(x.Paths, func(p why.PathShare) bool { return p.Unknown >= 0.01 })
	title := []string{"Share", "95% interval"}
	if sched {
		title = append(title, "On CPU", "Runnable", "Blocked")
	}
	if sched && unknown {
		title = append(title, "Not known")
	}
	calls, typical, time := "Calls", "Typical", "Self time"
	if x.Change {
		slow, other := sides(x)
		calls, typical, time = "Calls "+slow, other, "Self time "+slow
	}
	lines := [][]string{append(title, "More calls", "Longer", calls, typical, time, typical, "Path")}
	for i := range x.Paths {
		p := &x.Paths[i]
		line := []string{wholePercent(p.Share.Part), intervalText(&p.Share)}
		if sched {
			line = append(line, wholePercent(p.CPU), wholePercent(p.Runnable), wholePercent(p.Blocked))
		}
		if sched && unknown {
			line = append(line, wholePercent(p.Unknown))
		}
		line = append(line, wholePercent(p.MoreCalls), wholePercent(p.LongerCalls), rate(p.SlowCalls), rate(p.TypicalCalls), aligned(p.SlowTime), aligned(p.TypicalTime))
		lines = append(lines, append(line, pathName(p)))
	}
	return lines
}

// maxPathNames is how many functions of a path are shown: the first, and the last ones.
const maxPathNames = 5

// pathName writes a path, and who ended its waits.
func pathName(p *why.PathShare) string {
	var names []string
	for i, f := range p.Path {
		switch hidden := len(p.Path) - maxPathNames; {
		case hidden > 0 && i == 1:
			names = append(names, "…")
		case hidden > 0 && i > 1 && i <= hidden:
		default:
			names = append(names, f.Name)
		}
	}
	text := strings.Join(names, " > ")
	var wakers []string
	for i := range p.Wakers {
		wakers = append(wakers, fmt.Sprintf("%s %s", p.Wakers[i].String(), wholePercent(p.Wakers[i].Part)))
	}
	if len(wakers) > 0 {
		text += " (woken by " + strings.Join(wakers, ", ") + ")"
	}
	return text
}

// causeLines are the lines of the table of causes.
func causeLines(x *why.Explanation) [][]string {
	lines := [][]string{{"Share", "95% interval", "Of slow", "Of typical", "Cause"}}
	for i := range x.Causes {
		c := &x.Causes[i]
		of, typical := wholePercent(c.SlowPart), wholePercent(c.TypicalPart)
		if c.Kind == why.CauseTrend {
			of, typical = "-", "-"
		}
		lines = append(lines, []string{wholePercent(c.Share.Part), intervalText(&c.Share), of, typical, c.String()})
	}
	return lines
}

// unexplained says which part of the difference has no cause, and what would help.
func unexplained(x *why.Explanation, words Words) string {
	text := wholePercent(x.Unexplained) + " is not explained by what was recorded"
	if len(x.Causes) == 0 {
		text = fmt.Sprintf("None of %s (arguments, results, threads, times, other functions) distinguishes slow calls beyond chance", analyze.Plural(uint64(x.Candidates), "candidate", "candidates"))
	}
	if !x.Trace.Sched && words.Hint != nil {
		text += ": " + words.Hint(analyze.RecordSched)
	}
	return text + "."
}

// whyRanked are the columns of the tables, those first that a reader needs most.
func whyRanked() []string {
	return []string{"Share", "95% interval", "Blocked", "On CPU", "Runnable", "More calls", "Longer", "Self time", "Calls", "Of slow", "Of typical", "Not known"}
}

// whyRanks are the ranks of columns. A column of another title compares with the one before it, and
// is left out before that.
func whyRanks(titles []string) []int {
	ranks := make([]int, len(titles))
	for i, title := range titles {
		at := slices.IndexFunc(whyRanked(), func(ranked string) bool { return strings.HasPrefix(title, ranked) })
		if ranks[i] = 2 * at; at < 0 && i > 0 {
			ranks[i] = ranks[i-1] + 1
		}
	}
	return ranks
}

// minCause is the room that causes keep while columns can be left out instead: they are sentences.
const minCause = 56

// whyTable writes a table. Its last column is text, the others are numbers.
func whyTable(w io.Writer, lines [][]string, minText int, screen terminal.Screen) {
	titles := lines[0]
	t := terminal.Figures{Lines: lines, Ranks: whyRanks(titles[:len(titles)-1]), MinText: minText, Indent: 2}
	dropped := t.Fit(screen.Width)
	for _, line := range t.Text() {
		fmt.Fprintln(w, line)
	}
	leftOut(w, dropped)
}
