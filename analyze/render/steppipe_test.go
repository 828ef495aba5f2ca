package render

import (
	"errors"
	"testing"
	"time"

	"utrace/analyze"
)

func TestStepPipe(t *testing.T) {
	const n = 10*pipedSteps*pipedBatches + 7
	visited := time.Duration(0)
	p := newStepPipe(func(s *analyze.Step) error {
		if s.At != visited {
			t.Errorf("step %d instead of %d", s.At, visited)
		}
		visited++
		return nil
	})
	for i := range time.Duration(n) {
		if err := p.add(&analyze.Step{At: i}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.close(); err != nil || visited != n {
		t.Errorf("%v after %d steps", err, visited)
	}
}

// An error of the visitor, such as a full disk, ends the flow.
func TestStepPipeError(t *testing.T) {
	full := errors.New("full")
	for _, at := range []int{0, 1, pipedSteps, 3*pipedSteps + 1} {
		visited := 0
		p := newStepPipe(func(*analyze.Step) error {
			if visited++; visited > at {
				return full
			}
			return nil
		})
		added := 0
		for added < 100*pipedSteps && p.add(&analyze.Step{}) == nil {
			added++
		}
		if added > at+pipedSteps*(pipedBatches+2) {
			t.Errorf("%d steps are accepted after an error in step %d", added, at)
		}
		if err := p.close(); err != full || visited != at+1 {
			t.Errorf("%v after %d steps, want %d", err, visited, at+1)
		}
	}
}
