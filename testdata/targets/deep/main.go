// One deep stack, that ends call by call, or is left at once. Arguments: "climb" or "fall", and how deep.
package main

import (
	"os"
	"strconv"
)

//go:noinline
func bottom(n int) int { return n }

//go:noinline
func climb(n int, leave bool) int {
	if n > 0 {
		return 1 + climb(n-1, leave)
	}
	if leave {
		panic("left")
	}
	return bottom(n)
}

//go:noinline
func fall(n int) (result int) {
	defer func() {
		recover()
		result = 1
	}()
	return climb(n, true)
}

func main() {
	n, _ := strconv.Atoi(os.Args[2])
	if os.Args[1] == "climb" {
		climb(n, false)
	} else {
		fall(n)
	}
}
