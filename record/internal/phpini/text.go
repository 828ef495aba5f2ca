//go:build linux

package phpini

import (
	"os"
	"strings"
)

// valueOf returns the value that the text of an ini file gives to a setting for the whole process.
// It reports false if the text does not have the setting.
func valueOf(setting, text string, variable func(name string) string) (value string, found bool) {
	partial := false // in a section that is for some scripts only
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if section, ok := strings.CutPrefix(strings.ToUpper(line), "["); ok {
			partial = strings.HasPrefix(section, "PATH=") || strings.HasPrefix(section, "HOST=")
			continue
		}
		key, v, _ := strings.Cut(line, "=")
		if !partial && strings.TrimSpace(key) == setting {
			value, found = expand(strings.TrimSpace(v), variable), true
		}
	}
	return value, found
}

// expand returns a value without quotes and comment, and with the values of variables: ${NAME}, or
// ${NAME:-DEFAULT} since PHP 8.3.
func expand(v string, variable func(name string) string) string {
	switch {
	case v == "":
	case v[0] == '\'':
		v, _, _ = strings.Cut(v[1:], "'")
		return v
	case v[0] == '"':
		v, _, _ = strings.Cut(v[1:], `"`)
	default:
		v, _, _ = strings.Cut(v, ";")
	}
	return strings.TrimSpace(os.Expand(v, func(name string) string {
		name, or, _ := strings.Cut(name, ":-")
		if value := variable(name); value != "" {
			return value
		}
		return or
	}))
}

// isOn reports whether a value turns a setting on, as zend_ini_parse_bool does.
func isOn(v string) bool {
	switch strings.ToLower(v) {
	case "true", "yes", "on":
		return true
	}
	digits := strings.TrimLeft(v, "+-0")
	return digits != "" && digits[0] >= '1' && digits[0] <= '9'
}
