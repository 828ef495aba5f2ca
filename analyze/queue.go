package analyze

// queue is threads with their positions in a batch, the earliest at the front: a heap.
type queue []cursor

// cursor is the position in one run of a batch.
type cursor struct {
	nextNs int64 // time of row
	row    int
	run    *run
}

func (c *cursor) before(other *cursor) bool {
	return c.nextNs < other.nextNs || c.nextNs == other.nextNs && c.run.thread < other.run.thread
}

// order puts cursors in order that were appended.
func (q queue) order() {
	for i := len(q)/2 - 1; i >= 0; i-- {
		q.sink(i)
	}
}

// second returns the earliest cursor but the one at the front, nil if there is none.
func (q queue) second() *cursor {
	switch {
	case len(q) < 2:
		return nil
	case len(q) > 2 && q[2].before(&q[1]):
		return &q[2]
	}
	return &q[1]
}

// moved restores the order after the front was moved. It removes the front if that is at its end.
func (q *queue) moved(more bool) {
	if !more {
		last := len(*q) - 1
		(*q)[0] = (*q)[last]
		*q = (*q)[:last]
	}
	q.sink(0)
}

// sink restores the order below i.
func (q queue) sink(i int) {
	for {
		first := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(q); child++ {
			if q[child].before(&q[first]) {
				first = child
			}
		}
		if first == i {
			return
		}
		q[i], q[first] = q[first], q[i]
		i = first
	}
}
