// Executes executes its arguments as a program, which then has what Go's runtime leaves to it.
package main

import (
	"os"
	"syscall"
)

func main() {
	if err := syscall.Exec(os.Args[1], os.Args[1:], os.Environ()); err != nil {
		os.Exit(127)
	}
}
