package compare

import (
	"fmt"
	"path/filepath"
	"strings"

	"utrace/analyze"
)

// none means no row.
const none = -1

// pair is the rows of a function on both sides; none on a side where it was not called.
type pair struct{ old, new int }

// match finds the functions that are on both sides. Addresses and build IDs differ from build to
// build, and directories from machine to machine. So it tries one key after the other, and takes
// the rows that are the only ones with their key on both sides.
func match(before, after []analyze.Row) []pair {
	name := func(r *analyze.Row) string { return r.Provider() + "\x00" + r.Name }
	keys := []func(*analyze.Row) string{
		func(r *analyze.Row) string {
			return name(r) + "\x00" + filepath.Base(r.Module) + "\x00" + r.File + fmt.Sprint("\x00", r.Addr)
		},
		func(r *analyze.Row) string {
			return name(r) + "\x00" + filepath.Base(r.Module) + "\x00" + filepath.Base(r.File)
		},
		func(r *analyze.Row) string {
			return name(r) + "\x00" + strings.SplitN(filepath.Base(r.Module), ".so", 2)[0]
		},
		name,
		func(r *analyze.Row) string { return r.Name },
	}
	var pairs []pair
	matchedOld, matchedNew := make([]bool, len(before)), make([]bool, len(after))
	for _, key := range keys {
		olds, news := unique(before, matchedOld, key), unique(after, matchedNew, key)
		for i := range before {
			if matchedOld[i] {
				continue
			}
			k := key(&before[i])
			j, ok := news[k]
			if _, only := olds[k]; !ok || !only {
				continue
			}
			matchedOld[i], matchedNew[j] = true, true
			pairs = append(pairs, pair{i, j})
		}
	}

	for i, done := range matchedOld {
		if !done {
			pairs = append(pairs, pair{i, none})
		}
	}
	for j, done := range matchedNew {
		if !done {
			pairs = append(pairs, pair{none, j})
		}
	}
	return pairs
}

// unique indexes the rows that are not matched yet, if no other such row has the same key.
func unique(rows []analyze.Row, matched []bool, key func(*analyze.Row) string) map[string]int {
	index, count := map[string]int{}, map[string]int{}
	for i := range rows {
		if !matched[i] {
			k := key(&rows[i])
			index[k] = i
			count[k]++
		}
	}
	for k, n := range count {
		if n > 1 {
			delete(index, k)
		}
	}
	return index
}
