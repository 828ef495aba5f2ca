package ldso

import (
	"path/filepath"
	"strings"
)

// Matches reports whether the LIB of a probe LIB:FUNC names the library at path with the given
// soname ("" if it has none). LIB may contain the wildcards of path.Match. It is one of:
//
//   - the path, if it contains a slash;
//   - the file name or the soname: "libc.so.6";
//   - the file name up to ".so": "libc";
//   - the same without "lib" and without a version after a dash: "c" for libc.so.6 and
//     libc-2.31.so.
func Matches(pattern, path, soname string) bool {
	match := func(s string) bool {
		ok, err := filepath.Match(pattern, s)
		return err == nil && ok && s != ""
	}
	if strings.Contains(pattern, "/") {
		return match(path)
	}
	for _, file := range []string{filepath.Base(path), soname} {
		stem, _, isLibrary := strings.Cut(file+".", ".so.")
		if match(file) || isLibrary && match(stem) {
			return true
		}
		short, isLib := strings.CutPrefix(stem, "lib")
		if !isLibrary || !isLib {
			continue
		}
		name, version, _ := strings.Cut(short, "-")
		if match(short) || version != "" && version[0] >= '0' && version[0] <= '9' && match(name) {
			return true
		}
	}
	return false
}
