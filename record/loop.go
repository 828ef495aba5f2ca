//go:build linux

package record

import (
	"context"
	"time"
)

// Reasons for the end of a recording.
const (
	reasonDuration  = "the duration is over"
	reasonInterrupt = "interrupted"
	reasonTargets   = "the recorded processes have ended"
	reasonCommand   = "the command has ended"
	reasonError     = "the trace could not be written"
	reasonUnknown   = "it cannot be told whether the recorded processes have ended"
	reasonTimes     = "all traces were written"
	reasonSize      = "the file has reached its maximum size"
)

// Intervals of the loop's tasks other than draining.
const (
	flushEvery    = 500 * time.Millisecond // an event reaches the file at most this late
	progressEvery = 250 * time.Millisecond // Config.Progress is called
	sweepEvery    = time.Second            // with an observer, threads without calls are forgotten
	countEvery    = time.Second            // processes are counted, to notice that the last one has ended
	rankEvery     = 200 * time.Millisecond // the survey learns what samples have found, at first
	rankPart      = 10                     // and later less often: after a tenth of the time so far
)

// loop drains the rings until there is a reason to stop. ended is closed when all targets have
// ended.
func (s *session) loop(ctx context.Context, ended <-chan struct{}) (reason string, err error) {
	defer changePriority(drainNice)()
	var over <-chan time.Time
	if s.cfg.Duration > 0 {
		timer := time.NewTimer(s.cfg.Duration)
		defer timer.Stop()
		over = timer.C
	}
	tick := time.NewTimer(0)
	defer tick.Stop()
	started := time.Now()
	r := rounds{s: s, started: started, flushed: started, shown: started, counted: started}
	for {
		select {
		case <-ctx.Done():
			return reasonInterrupt, nil
		case <-over:
			return reasonDuration, nil
		case <-ended:
			return s.endReason(), nil
		case now := <-tick.C:
			if reason, err := r.next(now); reason != "" || err != nil {
				return reason, err
			}
			tick.Reset(s.drainer.interval)
		}
	}
}

// endReason is the reason once all targets have ended.
func (s *session) endReason() string {
	if s.command != nil {
		return reasonCommand
	}
	return reasonTargets
}

// rounds are the rounds of the loop: when each of the less frequent tasks was last done.
type rounds struct {
	s                                *session
	started, flushed, shown, counted time.Time
	ranked, swept                    time.Time
}

// next drains once, and does whatever else is due. It returns a reason to stop, "" if there is
// none.
func (r *rounds) next(now time.Time) (reason string, err error) {
	s := r.s
	if err := s.drainer.round(); err != nil {
		return reasonError, err
	}
	if s.survey != nil && s.sampler != nil && now.Sub(r.ranked) >= max(rankEvery, now.Sub(r.started)/rankPart) {
		r.ranked = now
		s.survey.Rank(s.sampler.seen)
	}
	if s.flight != nil {
		s.flight.look()
	}
	if s.live != nil {
		if err := r.passOn(now); err != nil {
			return reasonError, err
		}
	} else if now.Sub(r.flushed) >= flushEvery {
		if err := s.w.Flush(); err != nil {
			return reasonError, err
		}
		if err := s.publish(); err != nil {
			return reasonError, err
		}
		r.flushed = now
		s.leaders.check()
		if s.flight != nil {
			if reason, err := s.flight.next(); reason != "" || err != nil {
				return reason, err
			}
		}
	}
	if s.cfg.Progress != nil && now.Sub(r.shown) >= progressEvery {
		r.shown = now
		events, _ := s.w.Events()
		lost := s.drainer.lost
		s.cfg.Progress(Progress{Elapsed: now.Sub(r.started), Events: events, Lost: lost.entries + lost.returns, Bytes: s.w.Size()})
	}
	if s.cfg.Follow && s.plan.Selector == nil && (s.drainer.processEnded || now.Sub(r.counted) >= countEvery) {
		s.drainer.processEnded, r.counted = false, now
		if left, err := s.objs.AnyProcess(); err != nil {
			return reasonUnknown, err
		} else if !left {
			return s.endReason(), nil
		}
	}
	if s.cfg.MaxBytes > 0 && s.w.Size() >= s.cfg.MaxBytes {
		return reasonSize, nil
	}
	return "", nil
}

// passOn passes the calls that have been read to the observer.
func (r *rounds) passOn(now time.Time) error {
	if now.Sub(r.swept) >= sweepEvery {
		r.swept = now
		r.s.drainer.threads.Forget(r.s.live.Keeps)
		r.s.live.Sweep()
		r.s.leaders.check()
	}
	return r.s.w.Flush()
}
