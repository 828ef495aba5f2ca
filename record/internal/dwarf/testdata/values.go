//go:build ignore

// Like values.c, for what Go has.
package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
)

type color int8

const green color = 5

type point struct{ x, y int32 }
type wide struct{ a, b, c, d, e int64 }
type named struct {
	point
	name  string
	tags  []string
	next  *named
	on    bool
	any   any
	raw   [4]byte
	grid  [2][3]int16
	ratio float64
}
type failure struct{ code int }

func (f *failure) Error() string { return "failed" }

type pair[T any] struct{ first, second T }

var sink int

//go:noinline
func t_ints(a int8, b uint8, c int16, d uint16, e int32, f uint32, g int, h uint64, i uintptr, j int) int {
	sink++
	return j
}

//go:noinline
func t_kinds(yes bool, r rune, c color, p *point, m map[string]int, ch chan int, fn func()) (bool, rune) {
	sink++
	return yes, r
}

//go:noinline
func t_text(s string, b []byte, list []string, empty string) (string, []byte) {
	sink++
	return s[1:], b
}

//go:noinline
func t_float(d float64, n int, f float32, m int) (float64, int) { sink++; return d, n + m }

//go:noinline
func t_struct(p point, w wide, n int, v named) (point, wide) { sink++; return point{p.y, p.x}, w }

//go:noinline
func t_error(e error, a any, r io.Reader, none error) (string, error) { sink++; return "x", e }

//go:noinline
func t_unused(a int, _ string, c int, s []byte, last *point) { sink++ }

//go:noinline
func t_array(one [1]int, two [2]int, zero [0]int, after int, e struct{}, last int) [1]int {
	sink++
	return one
}

//go:noinline
func (n *named) t_method(depth int, next *named) (found *named, err error) {
	sink++
	return n.next, nil
}

//go:noinline
func (p point) t_value(n int) int32 { sink++; return p.x }

//go:noinline
func t_generic[T any](v T, p pair[T], n int) T { sink++; return p.second }

//go:noinline
func t_variadic(n int, rest ...int) (count int) { sink++; return len(rest) }

//go:noinline
func t_many(a, b, c, d, e, f, g, h string, i int) (x, y, z, u, v string) {
	sink++
	return a, b, c, d, e
}

//go:noinline
func t_complex(c complex128, n int, s struct {
	f float32
	n int
}) int {
	sink++
	return s.n
}

func t_inlinable(a int, s string) int { return a + len(s) }

//go:noinline
func t_changed(n int, s string) int {
	for n > 3 {
		n -= len(s)
		s = s[1:] + "xx"
	}
	return n
}

//go:noinline
func grow(n int) int {
	var space [1024]byte
	if n == 0 {
		return int(space[n])
	}
	return grow(n-1) + int(space[n])
}

func say(f string, pairs ...any) {
	for i := 0; i < len(pairs); i += 2 {
		fmt.Println(f, pairs[i], pairs[i+1])
	}
}

func main() {
	runtime.LockOSThread() // the tracer watches one thread
	grow(64)               // so that the stack need not grow later, which starts functions over
	say("t_ints", "a", -8, "b", 200, "c", -300, "d", 60000, "e", -70000, "f", 4000000000, "g", -5000000000, "h", uint64(18000000000000000000), "i", 77, "j", -1, "ret", -1)
	t_ints(-8, 200, -300, 60000, -70000, 4000000000, -5000000000, 18000000000000000000, 77, -1)
	p := &point{3, -4}
	say("t_kinds", "yes", true, "r", 'é', "c", 5, "p.x", 3, "p->y", -4, "ret1", true, "ret2", 'é', "*p", "{}")
	t_kinds(true, 'é', green, p, map[string]int{"a": 1}, make(chan int), func() {})
	say("t_text", "s", "grüße", "b", "01ff", "list", 2, "list[1]", "two", "empty", "", "ret1", "rüße", "ret2", "01ff", "b[1]", 255)
	t_text("grüße", []byte{1, 255}, []string{"one", "two"}, "")
	say("t_float", "d", "!it is in a floating-point register", "n", 2, "m", 3, "ret1", "!it is in a floating-point register", "ret2", 5)
	t_float(1.5, 2, 2.5, 3)
	v := named{point: point{5, 6}, name: "v", tags: []string{"t"}, on: true, any: 3, raw: [4]byte{1, 2, 3, 250}, ratio: 2.5}
	v.next = &named{name: "next", any: p}
	v.grid[1][2] = -7
	say("t_struct", "p.x", 3, "p.y", -4, "w.a", 1, "w.e", 5, "n", 9, "v.name", "v", "v.tags", 1, "v.tags[0]", "t", "v.next->name", "next", "v.next.any", "*main.point", "v.on", true, "v.any", "int",
		"v.raw", "010203fa", "v.grid[1][2]", -7, "v.ratio", 2.5, "v.x", 5, "v.point.y", 6, "ret1.x", -4, "ret1.y", 3, "ret2.e", 5)
	t_struct(*p, wide{1, 2, 3, 4, 5}, 9, v)
	say("t_error", "e", "*main.failure", "a", "main.color", "r", "*strings.Reader", "none", "nil", "ret1", "x", "ret2", "*main.failure")
	t_error(&failure{3}, green, strings.NewReader("x"), nil)
	say("t_error", "e", "*errors.errorString", "a", "map[string][]int", "r", "nil", "none", "*fmt.wrapError", "ret1", "x", "ret2", "*errors.errorString")
	t_error(errors.New("new"), map[string][]int{}, nil, fmt.Errorf("%w", io.EOF))
	say("t_unused", "a", 1, "c", 3, "s", "0a", "last.y", -4)
	t_unused(1, "nobody", 3, []byte{10}, p)
	say("t_array", "one[0]", 11, "two[1]", 13, "after", 14, "last", 15, "ret[0]", 11)
	t_array([1]int{11}, [2]int{12, 13}, [0]int{}, 14, struct{}{}, 15)
	say("t_method", "n.name", "v", "depth", 7, "next.name", "next", "ret1.name", "next", "ret2", "nil")
	v.t_method(7, v.next)
	say("t_value", "p.x", 3, "p.y", -4, "n", 8, "ret", 3)
	p.t_value(8)
	say("t_generic", "v", "gen", "p.first", "one", "p.second", "two", "n", 9, "ret", "two")
	t_generic("gen", pair[string]{"one", "two"}, 9)
	say("t_variadic", "n", 1, "rest", 3, "rest[2]", 6, "ret", 3)
	t_variadic(1, 4, 5, 6)
	say("t_many", "a", "A", "d", "D", "e", "E", "h", "H", "i", 9, "ret1", "A", "ret4", "D", "ret5", "E")
	t_many("A", "B", "C", "D", "E", "F", "G", "H", 9)
	say("t_complex", "n", 5, "s.n", 6, "ret", 6, "c", "!it is a complex number")
	t_complex(1, 5, struct {
		f float32
		n int
	}{1, 6})
	call := t_inlinable
	if sink > 1000 {
		call = nil
	}
	say("t_inlinable", "a", 4, "s", "abc", "ret", 7)
	call(4, "abc")
	sink = t_inlinable(1, "inlined")
	say("t_changed", "n", 10, "s", "abc", "ret", 3)
	t_changed(10, "abc")
}
