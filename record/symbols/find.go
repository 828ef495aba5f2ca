package symbols

import (
	"os"
	"path/filepath"
	"strings"
)

// Installed returns the path of the installed debug file of a build ID, "" if there is none.
func Installed(buildID string) string {
	if len(buildID) < 3 || strings.Trim(buildID, "0123456789abcdef") != "" {
		return ""
	}
	path := filepath.Join("/usr/lib/debug/.build-id", buildID[:2], buildID[2:]+".debug")
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}
