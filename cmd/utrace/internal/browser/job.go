package browser

import (
	"context"
	"fmt"
	"sync/atomic"

	"utrace/analyze"
	"utrace/format"
)

// job is a pass over the trace, in the background.
type job struct {
	name   string
	offset atomic.Int64 // how far it has read
	size   atomic.Int64 // of the trace
	ctx    context.Context
	stop   context.CancelFunc // nobody needs it any more
}

// options returns options whose passes tell the job how far they are.
func (j *job) options(opts analyze.Options) analyze.Options {
	open := opts.Open
	opts.Open = func(path string) (*format.Reader, error) {
		r, err := open(path)
		if err != nil {
			return nil, err
		}
		r.Watch(func(offset, size int64) {
			j.offset.Store(offset)
			j.size.Store(size)
		})
		return r, nil
	}
	return opts
}

func (j *job) String() string {
	if size := j.size.Load(); size > 0 {
		return fmt.Sprintf("%s %d%%", j.name, 100*j.offset.Load()/size)
	}
	return j.name
}
