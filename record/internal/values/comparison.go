package values

import (
	"utrace/bpf"
	"utrace/format/condition"
	"utrace/record/internal/probe"
)

// Compile turns a bound condition into comparisons for the BPF side, nil into none. The first one
// is made first. Each names the comparison that follows if it holds, and the one that follows if it
// does not.
func Compile(c *probe.Bound) []bpf.Cond {
	if c == nil {
		return nil
	}

	var reversed []bpf.Cond // what a comparison leads to comes before it
	emit(c, &reversed, bpf.CondKeep, bpf.CondDrop)

	last := uint8(len(reversed) - 1)
	turn := func(at uint8) uint8 {
		if at >= bpf.CondKeep {
			return at
		}
		return last - at
	}
	list := make([]bpf.Cond, len(reversed))
	for i, cond := range reversed {
		cond.Yes, cond.No = turn(cond.Yes), turn(cond.No)
		list[last-uint8(i)] = cond
	}
	return list
}

// emit appends the comparisons of a condition, last one first, and returns the index of the one to
// make first. yes and no are the indices to continue at.
func emit(c *probe.Bound, list *[]bpf.Cond, yes, no uint8) uint8 {
	switch c.Op {
	case condition.And:
		return emit(c.Left, list, emit(c.Right, list, yes, no), no)
	case condition.Or:
		return emit(c.Left, list, yes, emit(c.Right, list, yes, no))
	}

	cond := bpf.Cond{Yes: yes, No: no, Value: c.Number, Arg: condSubject(c), Signed: c.Type.Signed, Late: c.Late}
	bits := 8 * c.Type.Size
	if bits > 0 && bits < 64 && c.Value.Number.Negative && !c.Type.Signed { // as C converts it
		cond.Value &= 1<<bits - 1
	}

	// No comparison holds for a value that could not be read. So a negated one is marked as
	// negated, instead of exchanging yes and no.
	switch op := c.Op; {
	case c.IsText && op == condition.Equal, c.IsText && op == condition.NotEqual:
		cond.Op, cond.Negate = bpf.CondText, op == condition.NotEqual
	case op == condition.Equal, op == condition.NotEqual:
		cond.Op, cond.Negate = bpf.CondEqual, op == condition.NotEqual
	case op == condition.Less, op == condition.GreaterOrEqual:
		cond.Op, cond.Negate = bpf.CondLess, op == condition.GreaterOrEqual
	case op == condition.LessOrEqual, op == condition.Greater:
		cond.Op, cond.Negate = bpf.CondLessOrEqual, op == condition.Greater
	case op == condition.Glob, op == condition.NotGlob:
		cond.Op, cond.Negate = bpf.CondGlob, op == condition.NotGlob
	}
	if c.IsText {
		cond.Length = uint8(copy(cond.Text[:], c.Value.Text))
	}

	*list = append(*list, cond)
	return uint8(len(*list) - 1)
}

// condSubject returns what a comparison is about: the index of a value, or a bpf.Cond… constant.
func condSubject(c *probe.Bound) uint8 {
	switch c.Subject {
	case probe.SubjectPID:
		return bpf.CondPID
	case probe.SubjectTID:
		return bpf.CondTID
	case probe.SubjectComm:
		return bpf.CondComm
	case probe.SubjectDuration:
		return bpf.CondDuration
	}
	return uint8(c.Arg)
}
