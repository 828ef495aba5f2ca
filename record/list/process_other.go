//go:build !linux

package list

import "errors"

var errNoProcesses = errors.New("processes can be listed on Linux only: name a file")

func (l *lister) addMachine() error    { return errNoProcesses }
func (l *lister) addProcess(int) error { return errNoProcesses }
