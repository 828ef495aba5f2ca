package main

import (
	"errors"
	"os"
	"strconv"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"utrace/analyze/render/terminal"
)

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// screenFlags are the flags that say how output is shown.
type screenFlags struct {
	color colorMode
	wide  bool
}

func (f *screenFlags) add(flags *pflag.FlagSet) {
	f.color = "auto"
	flags.Var(&f.color, "color", "colour shares of self time, errors, changes and marks: `WHEN` is auto (on a terminal, without NO_COLOR), always or never")
	flags.BoolVar(&f.wide, "wide", false, "show all columns, and names in full, on a narrow terminal too")
}

// screen describes a stream.
func (f *screenFlags) screen(stream any) terminal.Screen {
	isTerminal := isTerminal(stream)
	s := terminal.Screen{Color: f.color == "always"}
	if f.color == "auto" {
		s.Color = isTerminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	if isTerminal && !f.wide {
		s.Width = terminalWidth(stream.(*os.File))
	}
	return s
}

// terminalWidth is $COLUMNS or, without it, the width of a terminal; 0 if it is unknown.
func terminalWidth(file *os.File) int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// colorMode is the flag --color.
type colorMode string

func (c *colorMode) String() string { return string(*c) }
func (c *colorMode) Type() string   { return "WHEN" }
func (c *colorMode) Set(text string) error {
	switch text {
	case "auto", "always", "never":
		*c = colorMode(text)
		return nil
	}
	return errors.New("want auto, always or never")
}
