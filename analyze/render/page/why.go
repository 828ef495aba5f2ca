package page

import "utrace/analyze/render"

// explanation is an explanation of slow calls.
type explanation struct {
	Reason      string     `json:"reason"`
	Paths       [][]string `json:"paths"`  // a table, with its titles
	Causes      [][]string `json:"causes"` // a table, with its titles
	Unexplained string     `json:"unexplained"`
}

func newWhy(in *Input) *explanation {
	if in.Why == nil {
		return nil
	}
	paths, causes, unexplained := render.WhyTables(in.Why, in.Words)
	return &explanation{render.Reason(in.Why), paths, causes, unexplained}
}
