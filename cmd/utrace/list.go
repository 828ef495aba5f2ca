package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"utrace/analyze"
	"utrace/record"
	"utrace/record/list"
)

func newListCommand() *cobra.Command {
	var pids []int
	var functions, verbose, presets bool
	cmd := &cobra.Command{
		Use:   "list [flags] [-p PID | BINARY] [PATTERN]",
		Short: "List the static probes or functions of files and processes",
		Long: `Print the static probes (USDT) of programs and libraries, one line each: PATH PROVIDER:NAME. With -l,
print their functions: PATH FUNC. Nothing is attached or run.

Where to look:
  BINARY     a path, or the name of a program in $PATH
  -p PID     the program of a process and all libraries that it maps now, deleted ones included
             (libstapsdt creates such files)
  neither    all programs and libraries that run on this machine, each file once. Without root, only
             those of your own processes

PATTERN is a name, a glob or a /regular expression/. It selects by PROVIDER:NAME or NAME; with -l, by
the name of the function, mangled or demangled. A single argument is a BINARY if such a file exists,
otherwise a PATTERN; '/^name$/' is always a pattern.

With -v, a line for each location of a static probe follows: its address in the file, the address of
the semaphore (a counter that switches the probe on) and the operands that hold the arguments. An
operand is SIZE@LOCATION: SIZE in bytes, negative if signed; LOCATION a register, memory or a constant
in assembler syntax.`,
		Example: `  utrace list /usr/bin/python3.11
  utrace list -v python3.11 'gc__*'
  sudo utrace list -p 1234
  sudo utrace list 'postgresql:query__*'
  utrace list --presets
  utrace list -l /lib/x86_64-linux-gnu/libc.so.6 'str*'`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) > 2:
				return usageError{fmt.Errorf("%d arguments: want at most 2, a BINARY and a PATTERN", len(args))}
			case presets && len(args) > 0:
				return usageError{fmt.Errorf("--presets takes no arguments: %q", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if presets {
				return printPresets(cmd.OutOrStdout(), verbose)
			}
			cfg, err := listConfig(pids, args)
			if err != nil {
				return err
			}
			if cfg.Functions = functions; functions && (cfg.Path != "" || cfg.PID != 0) {
				cfg.Debuginfod = newDebuginfod(cmd.Context(), cmd.ErrOrStderr())
			}
			return runList(cmd.OutOrStdout(), cmd.ErrOrStderr(), cfg, verbose)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.VarP(&idList{&pids, "process"}, "pid", "p", "list the program and libraries of the process `PID`")
	flags.BoolVarP(&functions, "functions", "l", false, "list functions instead of static probes")
	flags.BoolVar(&presets, "presets", false, "list the presets of record --preset; with -v also their probes")
	flags.BoolVarP(&verbose, "verbose", "v", false, "print locations, semaphores and operands; with -l, addresses and sizes")
	completePIDs(cmd)
	return cmd
}

// runList prints what was found. Nothing found is an error.
func runList(out, errOut io.Writer, cfg list.Config, verbose bool) error {
	if cfg.Path == "" && runtime.GOOS != "linux" {
		return errors.New("processes can be listed on Linux only: name a BINARY")
	}

	found, err := list.Find(cfg)
	if err != nil {
		return listError(cfg, err)
	}
	for _, text := range found.Warnings {
		fmt.Fprintf(errOut, "utrace: warning: %s\n", analyze.Printable(text))
	}
	if len(found.Files) == 0 {
		return errors.New(analyze.Printable(nothingListed(cfg, found)))
	}
	return printListing(out, found, verbose)
}

// printPresets writes a line for each preset: its name and what it is about.
func printPresets(w io.Writer, verbose bool) error {
	out := bufio.NewWriter(w)
	for _, p := range record.Presets() {
		fmt.Fprintf(out, "%-16s %s\n", p.Name, p.About)
		for _, probe := range p.Probes {
			if verbose {
				fmt.Fprintf(out, "  -e '%s'\n", probe.Text)
			}
		}
	}
	return out.Flush()
}

// listConfig decides which argument is BINARY and which is PATTERN.
func listConfig(pids []int, args []string) (cfg list.Config, err error) {
	switch {
	case len(pids) > 1:
		return cfg, usageError{errors.New("-p: list takes one process")}
	case len(pids) == 1 && len(args) > 1:
		return cfg, usageError{fmt.Errorf("-p PID and BINARY %q exclude each other", args[0])}
	case len(pids) == 1:
		cfg.PID = pids[0]
	case len(args) == 2 || len(args) == 1 && (isPath(args[0]) || binaryPath(args[0]) != ""):
		if cfg.Path = binaryPath(args[0]); cfg.Path == "" {
			return cfg, noBinary(args[0])
		}
		args = args[1:]
	}
	if len(args) > 0 {
		cfg.Pattern = args[0]
	}
	return cfg, nil
}

// isPath reports whether an argument can only name a file, whether or not it exists.
func isPath(arg string) bool {
	isRegexp := len(arg) > 1 && strings.HasPrefix(arg, "/") && strings.HasSuffix(arg, "/")
	return !isRegexp && (strings.HasPrefix(arg, "/") || strings.HasPrefix(arg, "./") || strings.HasPrefix(arg, "../"))
}

// noBinary says why a BINARY names no file.
func noBinary(name string) error {
	info, err := os.Stat(name)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a directory: want a program or library", analyze.Printable(name))
	case strings.Contains(name, "/"):
		return fmt.Errorf("no file %q", name)
	}
	return fmt.Errorf("no file %q, and no such program in $PATH", name)
}

// binaryPath returns the file that a BINARY names, "" if it names none.
func binaryPath(name string) string {
	if st, err := os.Stat(name); err == nil && !st.IsDir() {
		return name
	}
	if path, err := exec.LookPath(name); err == nil && !strings.Contains(name, "/") {
		return path
	}
	return ""
}

func listError(cfg list.Config, err error) error {
	if errors.Is(err, record.ErrSyntax) {
		return usageError{err}
	}
	if interp := interpreter(cfg.Path); interp != "" {
		return fmt.Errorf("%w, but a script; it is run by %q", err, interp)
	}
	return err
}

// interpreter returns what follows "#!" in a script.
func interpreter(path string) string {
	// O_NONBLOCK: opening a FIFO must not wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	line, _ := bufio.NewReader(io.LimitReader(f, 256)).ReadString('\n')
	text, ok := strings.CutPrefix(line, "#!")
	if !ok {
		return ""
	}
	return strings.TrimSpace(text)
}

// nothingListed says why there is nothing to print.
func nothingListed(cfg list.Config, found *list.Listing) string {
	what, where := "static probes", fmt.Sprintf("the %d files that run on this machine", found.Searched)
	if cfg.Functions {
		what = "functions"
	}
	switch {
	case cfg.PID != 0:
		where = fmt.Sprintf("the %d files that process %d maps", found.Searched, cfg.PID)
	case cfg.Path != "":
		where = cfg.Path
	}
	text := fmt.Sprintf("no %s in %s", what, where)
	if found.Total > 0 {
		text = fmt.Sprintf("none of the %d %s in %s matches %q", found.Total, what, where, cfg.Pattern)
	}
	if cfg.PID == 0 && cfg.Path == "" && cfg.Pattern != "" && !strings.ContainsAny(cfg.Pattern, "*?[/:") {
		text += fmt.Sprintf("; and there is no file %q, nor such a program in $PATH", cfg.Pattern)
	}
	if cfg.Path != "" && !cfg.Functions && found.Total == 0 {
		if libs := list.LibrariesWithUSDT(cfg.Path); len(libs) > 0 {
			text += "; libraries that it loads have some: " + strings.Join(libs, ", ")
		}
	}
	return text
}

func printListing(out io.Writer, found *list.Listing, verbose bool) error {
	w := bufio.NewWriter(out)
	for _, file := range found.Files {
		path := analyze.Printable(filepath.Clean(file.Path))
		for _, p := range file.Probes {
			fmt.Fprintf(w, "%s %s\n", path, analyze.Printable(p.Provider+":"+p.Name))
			if verbose {
				printLocations(w, p)
			}
		}
		for _, fn := range file.Funcs {
			fmt.Fprintf(w, "%s %s", path, analyze.Printable(fn.Name))
			if verbose {
				fmt.Fprintf(w, " [%#x, %d bytes", fn.Addr, fn.Size)
				if fn.Indirect {
					fmt.Fprint(w, ", indirect")
				}
				fmt.Fprint(w, "]")
			}
			fmt.Fprintln(w)
		}
	}
	return w.Flush()
}

func printLocations(w io.Writer, p list.USDTProbe) {
	for _, loc := range p.Locations {
		semaphore := "no semaphore"
		if loc.Semaphore != 0 {
			semaphore = fmt.Sprintf("semaphore %#x", loc.Semaphore)
		}
		var args, notes []string
		for _, a := range loc.Args {
			args = append(args, a.Operand)
			if a.Unreadable != "" {
				notes = append(notes, a.Operand+" cannot be read: "+a.Unreadable)
			}
		}
		line := "no arguments"
		if len(args) > 0 {
			line = strings.Join(args, " ")
		}
		if len(notes) > 0 {
			line += "  # " + strings.Join(notes, "; ")
		}
		fmt.Fprintf(w, "  location %#x, %s: %s\n", loc.Addr, semaphore, analyze.Printable(line))
	}
}
