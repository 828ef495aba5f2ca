package format

// CopyEvents appends the events of a trace to w, batch by batch, up to its end or to damage. change
// may change an event, or leave it out by returning false. Definitions are not
// copied: w must have the threads and functions that change returns.
func CopyEvents(w *Writer, r *Reader, change func(e *Event) bool) error {
	return eachBatch(r, func(b *Batch, _ *Tables, clocks []clock) error {
		if len(b.Defs) > 0 {
			return nil
		}
		for i := range b.Rows {
			e := clocks[b.Thread[i]].event(b, i)
			if e.Kind == Pause || e.Kind == StackBase || !change(&e) {
				continue
			}
			var err error
			if args := b.Args(i); len(args) > 0 {
				err = w.AppendArgs(&e, string(args))
			} else {
				err = w.Append(&e)
			}
			if err != nil {
				return err
			}
		}
		return w.Flush()
	})
}
