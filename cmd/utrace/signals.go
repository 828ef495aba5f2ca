package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// signals ends a context when the process gets a signal that asks it to end. Nothing is caught
// before catch is called: until then a signal ends utrace at once, and a command that utrace starts
// ignores the signals that utrace was started to ignore, as under nohup.
type signals struct {
	early    chan os.Signal // see endAtQuit; nil if SIGQUIT is ignored
	received chan os.Signal
	pipe     chan os.Signal // see catch
	done     <-chan struct{}
	end      context.CancelCauseFunc
}

// caught is the reason for a context's end by a signal.
type caught struct{ os.Signal }

func (c caught) Error() string { return "signal: " + c.String() }

// signalsKey is the key of *signals in a context.
type signalsKey struct{}

// withSignals returns a context that signals end once its signals are caught.
func withSignals(parent context.Context) context.Context {
	ctx, end := context.WithCancelCause(parent)
	s := &signals{received: make(chan os.Signal, 4), pipe: make(chan os.Signal, 1), done: ctx.Done(), end: end}
	if !signal.Ignored(syscall.SIGQUIT) {
		s.early = make(chan os.Signal, 1)
		s.endAtQuit()
	}
	return context.WithValue(ctx, signalsKey{}, s)
}

// endAtQuit lets SIGQUIT end utrace at once, like other signals, until early is closed. By itself
// Go would print the stacks of all goroutines.
func (s *signals) endAtQuit() {
	signal.Notify(s.early, syscall.SIGQUIT)
	go func() {
		if _, quit := <-s.early; quit {
			os.Exit(statusSignal + int(syscall.SIGQUIT))
		}
	}()
}

// signalsOf returns the signals that end a context, nil if none do.
func signalsOf(ctx context.Context) *signals {
	s, _ := ctx.Value(signalsKey{}).(*signals)
	return s
}

// catch begins to catch signals: the first one ends the context. A reader of standard error that
// has ended, such as tee at Ctrl-C, does not end utrace: SIGPIPE is caught and has no effect.
func (s *signals) catch() {
	if s == nil {
		return
	}
	signal.Notify(s.received, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	signal.Notify(s.pipe, syscall.SIGPIPE)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(s.received, syscall.SIGHUP)
	}
	if s.early != nil {
		signal.Stop(s.early)
		close(s.early)
	}

	go func() {
		select {
		case sig := <-s.received:
			s.end(caught{sig})
		case <-s.done:
		}
	}()
}

// again receives the signals after the first one.
func (s *signals) again() <-chan os.Signal {
	if s == nil {
		return nil
	}
	return s.received
}

// release catches no more signals.
func (s *signals) release() {
	if s != nil {
		signal.Stop(s.received)
		signal.Stop(s.pipe)
	}
}

// endedBy returns the signal that has ended a context, nil if it was something else.
func endedBy(ctx context.Context) os.Signal {
	var c caught
	if errors.As(context.Cause(ctx), &c) {
		return c.Signal
	}
	return nil
}
