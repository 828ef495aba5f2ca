package page

import "utrace/analyze"

// names numbers functions.
type names struct {
	index     map[analyze.Function]int
	names     []string
	modules   []string
	moduleOf  []int
	moduleNum map[string]int
}

func newNames() *names {
	return &names{index: map[analyze.Function]int{}, moduleNum: map[string]int{}}
}

func (n *names) of(f *analyze.Function) int {
	if f == nil {
		return -1
	}
	i, ok := n.index[*f]
	if !ok {
		i = len(n.names)
		n.index[*f] = i
		n.names = append(n.names, f.Name)
		m, ok := n.moduleNum[f.Module]
		if !ok {
			m = len(n.modules)
			n.moduleNum[f.Module] = m
			n.modules = append(n.modules, f.Module)
		}
		n.moduleOf = append(n.moduleOf, m)
	}
	return i
}

// same gives a function the number of another one.
func (n *names) same(f, as *analyze.Function) { n.index[*f] = n.of(as) }
