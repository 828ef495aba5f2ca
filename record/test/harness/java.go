//go:build linux

package harness

import (
	"path/filepath"
	"testing"
)

// Javac compiles a class of testdata/targets/runtimes with Debian's OpenJDK, which has static
// probes. Others may come first in PATH. It returns the path of that JDK's java, and the directory
// of the class.
func Javac(t testing.TB, source string) (java, dir string) {
	t.Helper()
	NeedKernel(t)
	const programs = "/usr/lib/jvm/java-17-openjdk-*/bin"
	found, err := filepath.Glob(programs + "/javac")
	if err != nil || len(found) == 0 {
		t.Skipf("needs Debian's openjdk-17-jdk-headless: no %s", programs)
	}
	dir = t.TempDir()
	Run(t, found[0], "-d", dir, Testdata(t, "targets/runtimes/"+source))
	return filepath.Join(filepath.Dir(found[0]), "java"), dir
}
