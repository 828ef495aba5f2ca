//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"utrace/analyze"
	"utrace/record"
	"utrace/record/list"
	"utrace/record/plan"
)

// hostile has an escape sequence, a mark that reverses text and an invisible character.
const hostile = "a\x1b[31mb\u202ec\u200bd"

// Nothing that names files or functions prints characters that change a terminal or cannot be seen.
func TestPrintable(t *testing.T) {
	for name, print := range map[string]func(out *bytes.Buffer) error{
		"list": func(out *bytes.Buffer) error {
			return printListing(out, &list.Listing{Files: []list.File{{
				Path: hostile, Funcs: []list.Func{{Name: hostile}},
				Probes: []list.USDTProbe{{Provider: hostile, Name: hostile, Locations: []list.Location{{Args: []list.Arg{{Operand: hostile, Unreadable: hostile}}}}}},
			}}}, true)
		},
		"plan": func(out *bytes.Buffer) error {
			w := bufio.NewWriter(out)
			printPlan(w, &plan.Plan{
				Modules:  []*plan.Module{{Hazard: hostile, Funcs: []plan.Func{{Name: hostile, Why: hostile, SiteWhy: hostile, Values: []string{hostile}}}}},
				Problems: []string{hostile}, Startup: []string{hostile}, Pending: []error{errors.New(hostile)},
			})
			return w.Flush()
		},
		"summary": func(out *bytes.Buffer) error {
			printSummary(out, record.Config{}, &record.Summary{Warnings: []string{hostile}})
			return nil
		},
		"error": func(out *bytes.Buffer) error {
			run(context.Background(), []string{"analyze", "/nosuch/" + hostile}, nil, out, out)
			return nil
		},
		"usage": func(out *bytes.Buffer) error {
			run(context.Background(), []string{"analyze", "--" + hostile}, nil, out, out)
			return nil
		},
	} {
		var out bytes.Buffer
		if err := print(&out); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), `\x1b[31mb\u202ec\u200bd`) {
			t.Errorf("%s: the name is missing:\n%q", name, out.String())
		}
		for line := range strings.SplitSeq(out.String(), "\n") {
			if line != analyze.Printable(line) {
				t.Errorf("%s: %q", name, line)
			}
		}
	}
}

// An error of several lines keeps them.
func TestErrorLines(t *testing.T) {
	var out bytes.Buffer
	printError(&out, errors.Join(errors.New("one\x1b"), errors.New("two")))
	if want := fmt.Sprintln(`utrace: one\x1b`) + "two\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
