// Functions of Go with arguments and results of every kind. The program prints what each call must
// show, in the words of utrace analyze --flow.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

type point struct{ X, Y int32 }

type record struct {
	id   int64
	name string
	at   point
	next *record
}

type color uint8

type failure struct{ code int }

func (f *failure) Error() string { return "failure" }

//go:noinline
func ints(a int8, b uint8, c int16, d uint16, e int32, f uint32, g int64, h uint64, i int, j uint) int64 {
	return int64(a) + int64(b) + int64(c) + int64(d) + int64(e) + int64(f) + g + int64(h) + int64(i) + int64(j)
}

//go:noinline
func kinds(yes bool, c color, r rune, p uintptr, s string) (bool, color, string) {
	return !yes, c + 1, s[1:]
}

//go:noinline
func slices(b []byte, words []uint32, s []string) (int, []byte) { return len(words) + len(s), b[1:] }

//go:noinline
func faces(err error, v any, w io.Writer) (int, error) { return 7, err }

//go:noinline
func structs(p point, r record, last int) point { return point{p.Y, p.X + int32(last)} }

//go:noinline
func chain(r *record, depth int) int64 { return r.id }

//go:noinline
func floats(x float64, n int, y float32, p *float64) int { return n }

//go:noinline
func (r *record) method(n int) string { return r.name[n:] }

//go:noinline
func (p point) byValue(n int32) int32 { return p.X + p.Y + n }

//go:noinline
func fails(n int) (int, error) {
	if n == 0 {
		return 0, nil
	}
	return -1, &failure{n}
}

//go:noinline
func generic[T int32 | string](a T, n int) T { return a }

// moves has a stack that moves before what it calls is entered.
//
//go:noinline
func moves(depth int, s string) int {
	var room [256]byte
	room[depth%256] = 1
	if depth == 0 {
		return int(room[0])
	}
	return moves(depth-1, s) + int(room[depth%256])
}

func main() {
	var said strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&said, format+"\n", args...) }
	for r := range 2 {
		for _, v := range []uint64{0, 1, 1<<64 - 1, 0xdeadbeef8000807f, 0xfedcba9876543210} {
			v += uint64(r)
			sum := ints(int8(v), uint8(v), int16(v), uint16(v), int32(v), uint32(v), int64(v), v, int(v), uint(v))
			say("main.ints(%d, %d, %d, %d, %d, %d, %d, %d, %d, %d) = %d;", int8(v), uint8(v), int16(v), uint16(v), int32(v), uint32(v), int64(v), v, int(v), uint(v), sum)
		}
		kinds(r == 1, 41, 'é', 4096, "text")
		say("main.kinds(%t, 41, 233, 4096, \"text\") = (%t, 42, \"ext\");", r == 1, r != 1)
		slices([]byte{0, 'b', 255}, []uint32{1, 2}, []string{"x"})
		say(`main.slices("\x00b\xff", 2, 1) = (3, "b\xff");`)
		faces(&failure{3}, 42, os.Stdout)
		say("main.faces(*main.failure, int, *os.File) = (7, *main.failure);")
		faces(nil, "text", nil)
		say("main.faces(nil, string, nil) = (7, nil);")
		last := &record{id: 30, name: "last"}
		rec := record{id: -10, name: "first", at: point{3, -4}, next: last}
		structs(point{1, -2}, rec, 99+r)
		say("main.structs(1, -2, -10, \"first\", 3, -4, %d) = (-2, %d);", 99+r, 100+r)
		chain(&rec, r)
		say("main.chain(-10, \"last\", -4, %d) = -10;", r)
		x := -0.25
		floats(1, 20+r, 2, &x)
		say("main.floats(%d, -0.25) = %d;", 20+r, 20+r)
		rec.method(2)
		say("main.(*record).method(-10, 2) = \"rst\";")
		point{5, 6}.byValue(7)
		say("main.point.byValue(5, 6, 7) = 18;")
		fails(0)
		say("main.fails(0) = (0, nil);")
		fails(5)
		say("main.fails(5) = (-1, *main.failure);")
		generic(int32(-8-r), 1)
		say("main.generic[go.shape.int32](%d, 1) = %d;", -8-r, -8-r)
		generic("shape", 2)
		say("main.generic[go.shape.string](\"shape\", 2) = \"shape\";")
	}
	done := make(chan int)
	go func() { done <- moves(2000, "moved") }()
	if n := <-done; n != 2001 {
		panic(errors.New("moves"))
	}
	fmt.Print(said.String())
}
