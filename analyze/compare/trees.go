package compare

import "utrace/analyze"

// Trees sums up both sides by call path. It also returns the warnings about the traces.
func Trees(oldPaths, newPaths []string, opts analyze.Options) (before, after *analyze.Tree, warnings []analyze.Warning, err error) {
	if before, err = analyze.CallTree(oldPaths, opts); err != nil {
		return nil, nil, nil, err
	}
	if after, err = analyze.CallTree(newPaths, opts); err != nil {
		return nil, nil, nil, err
	}
	return before, after, append(sideWarnings("old", before.Warnings), sideWarnings("new", after.Warnings)...), nil
}
