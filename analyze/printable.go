package analyze

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"utrace/format"
)

// printable makes text that a traced process chose fit for terminals and files:
// control characters, terminal escapes, invisible and invalid characters become
// Go escapes such as \x1b.
func printable(s string) string {
	if isPrintable(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if r == utf8.RuneError && s[i:min(i+3, len(s))] != "\ufffd" {
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i])+0x100, 16)[1:])
		} else if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// FileName is how the views name a trace, fit for terminals.
func FileName(path string) string { return printable(path) }

// maxName is the longest name or path that is shown as it is: one call path has maxPath of them, and a label two.
const maxName = 4 << 10

// maxBuildID is how many bytes of a build ID are shown: a SHA-1 has 40 digits, Go's own has 83.
const maxBuildID = 128

// printableName is printable for names and paths, which end in an ellipsis where they are too long.
func printableName(s string) string {
	s = printable(s)
	if len(s) <= maxName {
		return s
	}
	end := maxName - len("…")
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

func isPrintable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

func printableMeta(m format.Meta) format.Meta {
	m.Host, m.Kernel, m.Recorder, m.Arch = printable(m.Host), printable(m.Kernel), printable(m.Recorder), printable(m.Arch)
	m.Command, m.Args, m.Probes, m.Presets = printables(m.Command), printables(m.Args), printables(m.Probes), printables(m.Presets)
	return m
}

func printables(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = printable(s)
	}
	return out
}
