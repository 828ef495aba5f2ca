package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"utrace/record"
)

// probeTopics are the lines at the end of the help of record and plan that lead to the topics.
const probeTopics = `  utrace help probes      how to write a PROBE: functions, arguments, results, conditions
  utrace help presets     the presets and their probes`

// newTopics returns the texts that "utrace help TOPIC" shows.
func newTopics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "probes", Short: "How to write a probe: functions, arguments, results, conditions", Long: probesHelp},
		{Use: "presets", Short: "The sets of probes for languages, databases and libraries", Long: presetsHelp()},
	}
}

// presetsHelp is made from the table of presets.
func presetsHelp() string {
	var text strings.Builder
	text.WriteString(presetsIntro)
	for _, p := range record.Presets() {
		fmt.Fprintf(&text, "\n%s: %s.\n", p.Name, p.About)
		for _, probe := range p.Probes {
			fmt.Fprintf(&text, "  -e '%s'\n", probe.Text)
		}
	}
	return text.String()
}

const presetsIntro = `A preset is a named set of probes: utrace record --preset NAME. Several presets, and probes of your
own (-e), can be combined. Without a probe or preset, utrace record looks at what runs and chooses
presets, and the functions of busy programs, by itself.

python, php, java and ruby record functions under the names that the language gives them. postgres
records queries, transactions and waits. The other presets record functions of libraries.

A runtime passes events to probes only if it was built or started for that. utrace says when a
recording begins which events are missing and why. PostgreSQL works in children of its postmaster:
record -p POSTMASTER --follow, or leave out -p for the whole machine.

utrace list --presets prints a line per preset.
`

// probesHelp is the probe language. Lines that begin with two spaces and hold a gap are a list of
// terms, as the manual pages show it.
const probesHelp = `A probe names functions to record, or static probes (USDT) that a program's authors have put in. It
is the value of -e in utrace record and utrace plan. Quote it in a shell. utrace plan -e PROBE shows
what a probe means on this machine.

Where to probe:
  FUNC                   functions of the program itself (of PID or COMMAND)
  LIB:FUNC               functions of a library: c:malloc, ssl:SSL_read, libfoo.so.1:bar
  /path/to/file:FUNC     functions of a file; without PID and COMMAND, in every process
  ...:FUNC+0x10          an instruction in a function. Each execution is counted; no return value,
                         arguments or condition can be given
  ...:0x1234             the function or instruction at an address, as objdump and nm print it
  usdt:PROVIDER:NAME     static probes of the program and of the libraries that it maps
  usdt:/path:PROVIDER:NAME
                         static probes of a file (utrace list shows them)
  "/path/a:b":FUNC       a file whose path contains a colon

FUNC and NAME:
  name                   one function. C++ and Rust functions are found by their mangled or demangled
                         name, with or without parameters and template arguments. f(Point) is the
                         function with that parameter, if there is one; otherwise f with an argument
                         to record
  name@V1, name@@V2      one version of a library's function, as readelf prints it. Without a version,
                         name is all of them
  operator*              the * of this name, and of operator->*, is no glob
  SSL_*                  a glob: * is any text, ? any character, [ab] one of several
  /^get.*info$/          a regular expression
  sub_4a10               a function without a name, in a stripped file without a debug file: sub_ and
                         its address

A leading ! excludes: -e '*' -e '!*hot*'. bpftrace's uprobe:FILE:FUNC and uretprobe:FILE:FUNC are
accepted; each records entry and return.

Optionally followed, in this order, by:
  (ip:str, size:u32)     the arguments to record, see below
  -> s32                 the return value to record; -> ... takes its type from the debug information.
                         If a function of the C library fails, errno is recorded with it
  if CONDITION           which calls to keep, see below
  => PROVIDER:NAME       for a static probe: the probe that ends the call which this one begins
  => PROVIDER:NAME on ARG
                         the same for calls that overlap: ARG tells them apart
  => none                the probe begins no call

Arguments:
  NAME:TYPE, TYPE        one argument each, in order
  arg2:u32               the second argument
  path, req->headers[2].name, *count
                         names and paths without a type, in functions with debug information (DWARF)
  (...)                  every argument that the debug information, or the note of a static probe,
                         describes. A note does not say what is a text: only those of CPython, PHP,
                         Ruby, PostgreSQL and OpenJDK are known

Types:
  s8 s16 s32 s64         signed numbers
  u8 u16 u32 u64         unsigned numbers
  x8 x16 x32 x64         hexadecimal numbers
  f32 f64                floating-point numbers
  ptr bool char          addresses, truth values, characters
  str str[BYTES]         a text that ends with a zero byte; BYTES is the most to record
  buf[LENGTH-ARG]        a buffer whose length is another argument

At most 12 values per probe are recorded. A value that cannot be read is shown as ?. Without debug
information, arguments are counted in the integer registers and then on the stack. Probes cannot read
the registers of floating-point arguments.

Conditions:
  == != < <= > >=        comparisons of arguments (by name or path, or arg1, arg2 and so on), pid, tid,
                         comm, ret (the return value) and duration with a constant
  =~ "glob"              comparison of a text with a glob
  && || !                combinations

The kernel decides conditions, so calls that are dropped cost no space in the trace. Durations have a
unit: duration > 1.5ms. A condition holds at most 16 comparisons, and texts of at most 64 bytes.

A static probe whose name ends in start, entry, begin or enter is recorded as a call with a duration,
if its provider has a probe for the end: done, return, end or exit. => names another end.

Examples:
  -e 'parse_*' -e '!parse_header'
  -e 'c:getaddrinfo(node:str, service:str) -> s32 if node =~ "*.internal"'
  -e 'ssl:SSL_read -> s32 if ret < 0 || duration > 10ms'
  -e 'usdt:postgresql:transaction__start(lxid:u32) => postgresql:transaction__commit on lxid'
`
