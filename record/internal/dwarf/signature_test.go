//go:build linux && amd64

package dwarf_test

import (
	"strings"
	"testing"

	"utrace/record/internal/elftest"
)

func TestSignatureC(t *testing.T) {
	for _, c := range []string{
		"gcc -g -O0", "gcc -g -O2", "gcc -g -O0 -gdwarf-4", "gcc -g -O2 -gdwarf-4", "gcc -g -O3 -flto", "gcc -g -O2 -static", "gcc -g -Os -fdebug-types-section",
		"clang-19 -g -O0", "clang-19 -g -O2", "clang-19 -g -O2 -gdwarf-4", "clang-19 -g -O1 -no-pie",
	} {
		t.Run(c, func(t *testing.T) {
			path := elftest.Build(t, append(strings.Fields(c), "testdata/values.c")...)
			same, differ := compareWithProgram(t, path, false)
			t.Logf("%d values", same)
			for _, d := range differ {
				t.Error(d)
			}
		})
	}
}

func TestSignatureCPlusPlus(t *testing.T) {
	for _, c := range []string{
		"g++ -g -O0", "g++ -g -O2", "g++ -g -O2 -gdwarf-4", "g++ -g -O0 -gdwarf-4", "g++ -g -O0 -D_GLIBCXX_USE_CXX11_ABI=0", "g++ -g -O2 -fdebug-types-section -gdwarf-4",
		"clang++-19 -g -O0", "clang++-19 -g -O2", "clang++-19 -g -O2 -fstandalone-debug", "clang++-19 -g -O2 -gdwarf-4",
	} {
		t.Run(c, func(t *testing.T) {
			path := elftest.Build(t, append(strings.Fields(c), "-std=c++17", "testdata/values.cc")...)
			same, differ := compareWithProgram(t, path, false)
			t.Logf("%d values", same)
			for _, d := range differ {
				t.Error(d)
			}
		})
	}
}

func TestSignatureGo(t *testing.T) {
	for _, c := range []string{"go build", "go build -gcflags=-N\t-l", "go build -gcflags=-l", "go build -buildmode=pie", "go build -ldflags=-compressdwarf=false"} {
		t.Run(c, func(t *testing.T) {
			path := elftest.Build(t, append(strings.Split(c, " "), "testdata/values.go")...)
			same, differ := compareWithProgram(t, path, true)
			t.Logf("%d values", same)
			for _, d := range differ {
				t.Error(d)
			}
		})
	}
}

func TestSignatureRust(t *testing.T) {
	for _, c := range []string{"rustc -g", "rustc -g -O", "rustc -g -Copt-level=3", "rustc -g -Cdwarf-version=5 -O"} {
		t.Run(c, func(t *testing.T) {
			path := elftest.Build(t, append(strings.Fields(c), "-Awarnings", "testdata/values.rs")...)
			same, differ := compareWithProgram(t, path, false)
			t.Logf("%d values", same)
			for _, d := range differ {
				t.Error(d)
			}
		})
	}
}
