//go:build linux

package image

import "strings"

// Program is a program as it is started: everything that determines which libraries it loads.
type Program struct {
	File   Version
	Linker string // variables of the dynamic linker
}

// NewProgram returns the program of a file that is started with an environment.
func NewProgram(file Version, env []string) Program {
	p := Program{File: file}
	for _, kv := range env {
		if strings.HasPrefix(kv, "LD_") {
			p.Linker += kv + "\x00"
		}
	}
	return p
}
