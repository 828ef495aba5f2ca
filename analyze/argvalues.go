package analyze

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"time"

	"utrace/format"
)

// Limits of argValues.
const (
	maxArguments    = 8       // of a function
	maxExactValues  = 32      // of an argument: with more, numbers are grouped by their size
	maxValueClasses = 1 << 14 // of all arguments of a view
)

// ArgumentValues are the calls of a function by the value of one of its arguments.
type ArgumentValues struct {
	Name   string
	Values []ValueCalls // ranges from the smallest number up, then other values, highest P99 first
	Others uint64       // calls with further values
}

// ValueCalls are the complete calls with one value, or with numbers in a range.
type ValueCalls struct {
	Text      string // as in a call in C, or a range such as 1024 to 2047
	Durations Histogram
	low       float64 // of a range
}

// argValues counts the complete calls of functions by the values of their arguments.
type argValues struct {
	opts    *Options
	funcs   []format.Func
	matches []bool
	of      [][]argument // by function
	room    int          // classes that may still be added
}

// argument has the calls by value and, of numbers, by size. Each is all calls, except for others.
type argument struct {
	name   string
	exact  map[string]*ValueCalls // by the text in the file
	sizes  map[int]*ValueCalls    // by octave, negative for negative numbers
	many   bool                   // there are more values than in exact
	others uint64                 // calls that are not in exact
	texts  uint64                 // calls that are not in sizes
}

func newArgValues(opts *Options) *argValues { return &argValues{opts: opts, room: maxValueClasses} }

func (v *argValues) define(funcs []format.Func) {
	v.funcs = funcs
	for i := len(v.of); i < len(funcs); i++ {
		v.matches = append(v.matches, v.opts.Function.function(&funcs[i]))
		args := make([]argument, min(len(funcs[i].Args), maxArguments))
		for k := range args {
			args[k].name = Printable(funcs[i].Args[k].Name)
		}
		v.of = append(v.of, args)
	}
}

// leave counts a call with its arguments, which are as in the file.
func (v *argValues) leave(t *thread, f *frame, state State, args []byte) {
	if len(v.of[f.fn]) == 0 || len(args) == 0 || !v.matches[f.fn] || state != Complete || f.uncertain || !v.opts.selects(t, f, state) {
		return
	}
	d := time.Duration(f.durationNs(t))
	for i := range v.of[f.fn] {
		if raw, ok := element(args, i); ok {
			v.of[f.fn][i].add(v.funcs[f.fn].Args[i].Type, raw, d, &v.room)
		}
	}
}

func (a *argument) add(typ string, raw []byte, d time.Duration, room *int) {
	value := a.exact[string(raw)]
	if value == nil && len(a.exact) < maxExactValues && *room > 0 && len(raw) <= maxCachedBytes {
		if a.exact == nil {
			a.exact = map[string]*ValueCalls{}
		}
		*room--
		value = &ValueCalls{Text: formatValue(typ, raw)}
		a.exact[string(raw)] = value
	}
	if value != nil {
		value.Durations.Add(d)
	} else {
		a.many = true
		a.others++
	}

	octave, ok := numberOctave(raw)
	if !ok {
		a.texts++
		return
	}
	size := a.sizes[octave]
	if size == nil {
		if a.sizes == nil {
			a.sizes = map[int]*ValueCalls{}
		}
		size = newSize(octave)
		a.sizes[octave] = size
	}
	size.Durations.Add(d)
}

// numberOctave returns the number of binary digits of a whole number, negative for a negative one.
func numberOctave(raw []byte) (int, bool) {
	if n, err := strconv.ParseUint(string(raw), 10, 64); err == nil {
		return bits.Len64(n), true
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return -bits.Len64(uint64(-n)), err == nil
}

// newSize is the numbers of an octave.
func newSize(octave int) *ValueCalls {
	digits := max(octave, -octave)
	if digits <= 1 { // 0, 1 or -1
		return &ValueCalls{Text: strconv.Itoa(octave), low: float64(octave)}
	}
	low, high := uint64(1)<<(digits-1), uint64(1)<<(digits-1)-1+uint64(1)<<(digits-1)
	if octave < 0 {
		return &ValueCalls{Text: fmt.Sprintf("-%d to -%d", high, low), low: -float64(high)}
	}
	return &ValueCalls{Text: fmt.Sprintf("%d to %d", low, high), low: float64(low)}
}

// mergeArguments adds the arguments of a function that another view, or another trace, has.
func mergeArguments(list, other []argument) []argument {
	for i := range other {
		if len(other[i].exact)+len(other[i].sizes) == 0 {
			continue
		}
		at := slices.IndexFunc(list, func(a argument) bool { return a.name == other[i].name })
		if at < 0 {
			at = len(list)
			list = append(list, argument{name: other[i].name})
		}
		list[at].merge(&other[i])
	}
	return list
}

// merge adds the calls that another view has seen.
func (a *argument) merge(other *argument) {
	for raw, from := range other.exact {
		to := a.exact[raw]
		if to == nil {
			if a.exact == nil {
				a.exact = map[string]*ValueCalls{}
			}
			to = &ValueCalls{Text: from.Text}
			a.exact[raw] = to
		}
		to.Durations.Merge(&from.Durations)
	}
	for octave, from := range other.sizes {
		if a.sizes == nil {
			a.sizes = map[int]*ValueCalls{}
		}
		if a.sizes[octave] == nil {
			a.sizes[octave] = newSize(octave)
		}
		a.sizes[octave].Durations.Merge(&from.Durations)
	}
	a.many = a.many || other.many
	a.others += other.others
	a.texts += other.texts
}

// values returns the calls by value, or by size if there are many numbers. Of other values, those
// with most calls are kept.
func (a *argument) values() ArgumentValues {
	out := ArgumentValues{Name: a.name}
	byText := func(x, y ValueCalls) int {
		return cmp.Or(cmp.Compare(y.Durations.Quantile(990), x.Durations.Quantile(990)), cmp.Compare(x.Text, y.Text))
	}
	if (a.many || len(a.exact) > maxExactValues) && len(a.sizes) > 0 {
		for _, size := range a.sizes {
			out.Values = append(out.Values, *size)
		}
		out.Others = a.texts
		slices.SortFunc(out.Values, func(x, y ValueCalls) int { return cmp.Compare(x.low, y.low) })
		return out
	}
	for _, value := range a.exact {
		out.Values = append(out.Values, *value)
	}
	slices.SortFunc(out.Values, func(x, y ValueCalls) int {
		return cmp.Or(cmp.Compare(y.Durations.Count(), x.Durations.Count()), cmp.Compare(x.Text, y.Text))
	})
	out.Others = a.others
	for i := maxExactValues; i < len(out.Values); i++ {
		out.Others += out.Values[i].Durations.Count()
	}
	out.Values = out.Values[:min(len(out.Values), maxExactValues)]
	slices.SortFunc(out.Values, byText)
	return out
}
