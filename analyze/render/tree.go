package render

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"

	"utrace/analyze"
)

// Tree writes calls summed up by call path in the layout of uftrace graph.
func Tree(w io.Writer, t *analyze.Tree) error {
	out := &treeWriter{out: bufio.NewWriter(w), by: t.By}
	fmt.Fprintln(out.out, "# TOTAL TIME   FUNCTION")
	first := true
	for _, thread := range t.Threads {
		for _, root := range thread.Roots {
			if !first {
				fmt.Fprintln(out.out)
			}
			first = false
			out.node(root, "", false)
		}
	}
	return out.out.Flush()
}

type treeWriter struct {
	out  *bufio.Writer
	by   string // the nodes are grouped by this
	bars []bool // by level of indentation: a line goes on below
}

// node writes a node and all nodes below it. around is the value of its caller. One of several
// siblings is a branch; an only child is written right below its parent.
func (t *treeWriter) node(n *analyze.Node, around string, branch bool) {
	total := ""
	if n.Total > 0 {
		total = aligned(n.Total)
	}
	name := NodeName(n, t.by, around)
	calls := ""
	if n.Calls > 0 {
		calls = fmt.Sprintf("(%d) ", n.Calls)
	}
	t.line(total, branch, calls+name)
	several := len(n.Children) > 1
	level := len(t.bars)
	if several {
		t.bars = append(t.bars, true)
	}
	for i, child := range n.Children {
		last := i == len(n.Children)-1
		if several && last {
			t.bars[level] = false
		}
		t.node(child, n.Value.Text, several)
		if !last {
			t.line("", false, "")
		}
	}
	t.bars = t.bars[:level]
}

// NodeName names a function, with its value if its caller has another one.
func NodeName(n *analyze.Node, by, around string) string {
	if n.Value.Text == around {
		return n.Function.Name
	}
	return n.Function.Name + " " + by + "=" + cut(cmp.Or(n.Value.Text, "-"), maxValue)
}

func (t *treeWriter) line(total string, branch bool, text string) {
	var b strings.Builder
	fmt.Fprintf(&b, "%12s : ", total)
	for i, bar := range t.bars {
		switch {
		case branch && i == len(t.bars)-1:
			b.WriteString(" +-")
		case bar:
			b.WriteString(" | ")
		default:
			b.WriteString("   ")
		}
	}
	fmt.Fprintln(t.out, strings.TrimRight(b.String()+text, " "))
}
