package browser

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"utrace/analyze"
	"utrace/analyze/render"
)

// tree is the tree of calls, with nodes that can be folded.
type tree struct {
	by      string
	roots   []*branch
	total   time.Duration
	visible []*branch
}

// branch is a node of the tree, at its place.
type branch struct {
	node     *analyze.Node
	name     string
	parent   *branch
	depth    int
	open     bool
	children []*branch // nil until the node was first opened
}

// openShare is the part of the total time from which a node is open at first: the way to where the
// time goes.
const openShare = 0.05

func newTree(t *analyze.Tree) *tree {
	d := &tree{by: t.By}
	for _, thread := range t.Threads {
		for _, n := range thread.Roots {
			d.roots = append(d.roots, &branch{node: n, name: render.NodeName(n, t.By, "")})
			d.total += n.Total
		}
	}
	for _, b := range d.roots {
		d.openLong(b)
	}
	d.update()
	return d
}

func (t *tree) openLong(b *branch) {
	if float64(b.node.Total) < openShare*float64(t.total) {
		return
	}
	t.unfold(b)
	for _, child := range b.children {
		t.openLong(child)
	}
}

// unfold shows the children of a node.
func (t *tree) unfold(b *branch) {
	b.open = true
	if b.children != nil {
		return
	}
	for _, n := range b.node.Children {
		b.children = append(b.children, &branch{node: n, name: render.NodeName(n, t.by, b.node.Value.Text), parent: b, depth: b.depth + 1})
	}
}

// update lists the visible nodes.
func (t *tree) update() {
	t.visible = t.visible[:0]
	var add func(list []*branch)
	add = func(list []*branch) {
		for _, b := range list {
			t.visible = append(t.visible, b)
			if b.open {
				add(b.children)
			}
		}
	}
	add(t.roots)
}

func (t *tree) head(int) []string {
	return []string{"  TOTAL TIME  SHARE   FUNCTION"}
}

func (t *tree) length() int { return len(t.visible) }

func (t *tree) line(i, _ int) string {
	b := t.visible[i]
	mark := " "
	if len(b.node.Children) > 0 {
		mark = "+"
		if b.open {
			mark = "-"
		}
	}
	total, share := "", ""
	if b.node.Total > 0 {
		total = analyze.FormatDuration(b.node.Total)
		share = fmt.Sprintf("%.1f%%", 100*float64(b.node.Total)/float64(max(1, t.total)))
	}
	calls := ""
	if b.node.Calls > 0 {
		calls = fmt.Sprintf("(%d) ", b.node.Calls)
	}
	return fmt.Sprintf("%12s %6s   %s%s %s%s", total, share, strings.Repeat("  ", min(b.depth, maxIndent)), mark, calls, b.name)
}

// maxIndent keeps deep recursions on the screen.
const maxIndent = 200

// enter folds or unfolds a node.
func (t *tree) enter(line int) document {
	t.fold(line, !t.visible[line].open, false)
	return nil
}

// fold opens or closes a node, and with all every node below it.
func (t *tree) fold(line int, open, all bool) {
	var set func(*branch)
	set = func(b *branch) {
		if open {
			t.unfold(b)
		}
		b.open = open
		for _, child := range b.children {
			if all {
				set(child)
			}
		}
	}
	set(t.visible[line])
	t.update()
}

// parent returns the line of a node's caller, or its own.
func (t *tree) parent(line int) int {
	for i := line; i >= 0; i-- {
		if t.visible[i] == t.visible[line].parent {
			return i
		}
	}
	return line
}

// sibling returns the line of the next node with the same caller, in steps of 1 or -1, or its own.
func (t *tree) sibling(line, step int) int {
	b := t.visible[line]
	for i := line + step; i >= 0 && i < len(t.visible) && t.visible[i].depth >= b.depth; i += step {
		if t.visible[i].depth == b.depth {
			return i
		}
	}
	return line
}

// find also searches nodes that are not visible, and opens the way to the one that it finds.
func (t *tree) find(pattern *regexp.Regexp, after, step int, found func(line int)) {
	var all []*branch
	start := 0
	var walk func(list []*branch)
	walk = func(list []*branch) {
		for _, b := range list {
			if b == t.visible[after] {
				start = len(all)
			}
			all = append(all, b)
			was := b.open
			t.unfold(b)
			b.open = was
			walk(b.children)
		}
	}
	walk(t.roots)
	for i := start + step; i >= 0 && i < len(all); i += step {
		if !pattern.MatchString(all[i].name) {
			continue
		}
		for b := all[i].parent; b != nil; b = b.parent {
			b.open = true
		}
		t.update()
		for line, b := range t.visible {
			if b == all[i] {
				found(line)
				return
			}
		}
	}
	found(-1)
}
