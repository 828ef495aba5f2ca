package render

import "utrace/analyze"

// pipedSteps is how many steps go through a stepPipe at a time, and pipedBatches how many times that
// may be on their way.
const (
	pipedSteps   = 256
	pipedBatches = 4
)

// stepPipe visits steps on a goroutine of its own, so that one processor finds them while another
// one writes them.
type stepPipe struct {
	steps []analyze.Step // to be sent
	full  chan []analyze.Step
	free  chan []analyze.Step
	done  chan error // the first error of visit, once; nil if there was none
	err   error      // of done, once it was received
	ended bool
}

func newStepPipe(visit func(*analyze.Step) error) *stepPipe {
	p := &stepPipe{full: make(chan []analyze.Step, pipedBatches), free: make(chan []analyze.Step, pipedBatches+1), done: make(chan error, 1)}
	p.steps = make([]analyze.Step, 0, pipedSteps)
	for range pipedBatches {
		p.free <- make([]analyze.Step, 0, pipedSteps)
	}
	go p.run(visit)
	return p
}

func (p *stepPipe) run(visit func(*analyze.Step) error) {
	for steps := range p.full {
		for i := range steps {
			if err := visit(&steps[i]); err != nil {
				p.done <- err
				return
			}
		}
		clear(steps) // their values
		p.free <- steps[:0]
	}
	p.done <- nil
}

// add passes a copy of a step on. It returns the error of visit for an earlier one.
func (p *stepPipe) add(s *analyze.Step) error {
	p.steps = append(p.steps, *s)
	if len(p.steps) < pipedSteps {
		return p.err
	}
	return p.send()
}

func (p *stepPipe) send() error {
	if p.ended {
		return p.err
	}
	p.full <- p.steps
	select {
	case p.steps = <-p.free:
	case p.err = <-p.done:
		p.ended, p.steps = true, nil
	}
	return p.err
}

// close waits until all steps were visited, and returns the first error.
func (p *stepPipe) close() error {
	if !p.ended {
		p.full <- p.steps
		close(p.full)
		p.ended, p.err = true, <-p.done
	}
	return p.err
}
