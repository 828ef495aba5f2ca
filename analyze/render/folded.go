package render

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"utrace/analyze"
)

// Folded writes a tree as folded stacks, for flamegraph.pl, inferno and speedscope. Each call path
// with self time gets a line: its functions from the outermost one, with ; between them, and the
// self time in ns.
func Folded(w io.Writer, t *analyze.Tree) error {
	f := &folded{out: bufio.NewWriter(w)}
	for _, thread := range t.Threads {
		f.nodes(thread.Roots)
	}
	return f.out.Flush()
}

type folded struct {
	out  *bufio.Writer
	path []string
}

func (f *folded) nodes(list []*analyze.Node) {
	for _, n := range list {
		// As stackcollapse-perf.pl does: a ; would begin another function.
		f.path = append(f.path, strings.ReplaceAll(n.Function.Name, ";", ":"))
		if n.Self > 0 {
			fmt.Fprintf(f.out, "%s %d\n", strings.Join(f.path, ";"), n.Self)
		}
		f.nodes(n.Children)
		f.path = f.path[:len(f.path)-1]
	}
}
