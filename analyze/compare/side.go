package compare

import "utrace/analyze"

// quantiles are those that a Comparison looks at, in thousandths.
func quantiles() [3]uint64 { return [3]uint64{500, 900, 990} }

// side is one side of a comparison: the report of its traces, by slices of time.
type side struct {
	*analyze.Sliced
	unrest float64 // see measureUnrest
}

func readSide(paths []string, opts analyze.Options) (*side, error) {
	r, err := analyze.ReportSliced(paths, opts, quantiles())
	if err != nil {
		return nil, err
	}
	return &side{r, measureUnrest(r.Rows)}, nil
}
