package compare

import (
	"github.com/google/pprof/profile"

	"utrace/analyze"
)

// Profile makes a profile of the differences, as go tool pprof -diff_base does of two profiles. It
// has the samples of the new traces, and those of the old ones with negative values. Old samples
// have the label by which pprof knows them, so that it shows percentages of the old total. Values
// are per trace. If only one side has the scheduler, there is no cpu and offcpu. Profile also
// returns the warnings about the traces.
func Profile(oldPaths, newPaths []string, opts analyze.Options) (*profile.Profile, []analyze.Warning, error) {
	before, warnings, err := analyze.Profile(oldPaths, opts)
	if err != nil {
		return nil, nil, err
	}
	after, w, err := analyze.Profile(newPaths, opts)
	if err != nil {
		return nil, nil, err
	}
	before.Scale(-1 / float64(len(oldPaths)))
	before.SetLabel("pprof::base", []string{"true"})
	after.Scale(1 / float64(len(newPaths)))
	sides := []*profile.Profile{after, before}
	if err := profile.CompatibilizeSampleTypes(sides); err != nil {
		return nil, nil, err
	}
	p, err := profile.Merge(sides)
	return p, append(warnings, w...), err
}
