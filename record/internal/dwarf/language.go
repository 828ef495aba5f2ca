package dwarf

import (
	"strconv"
	"strings"
)

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

// isC reports whether a language (DWARF 5, table 7.17) is C.
func isC(language uint64) bool {
	switch language {
	case 0x01, 0x02, 0x0c, 0x1d, 0x2c:
		return true
	}
	return false
}

// isCPlusPlus reports whether a language is C++ or Objective-C++.
func isCPlusPlus(language uint64) bool {
	switch language {
	case 0x04, 0x1a, 0x21, 0x2b, 0x11:
		return true
	}
	return false
}

// llvmVersion returns the major version of the LLVM that compiled a unit, 0 for another compiler.
// It reads the unit's DW_AT_producer:
//
//	Debian clang version 19.1.7 (3+b1)
//	clang LLVM (rustc version 1.95.0 (59807616e 2026-04-14))
func llvmVersion(producer string) int {
	_, rest, ok := strings.Cut(producer, "clang version ")
	if ok {
		major, _, _ := strings.Cut(rest, ".")
		n, _ := strconv.Atoi(major)
		return max(n, 1)
	}
	switch n := rustVersion(producer); {
	case n >= 87:
		return 20
	case n >= 65:
		return 15
	case n > 0:
		return 1
	}
	if strings.Contains(producer, "LLVM") {
		return 1
	}
	return 0
}

// rustVersion returns N of rustc version 1.N, 0 for another compiler.
func rustVersion(producer string) int {
	_, rest, _ := strings.Cut(producer, "rustc version 1.")
	minor, _, _ := strings.Cut(rest, ".")
	n, _ := strconv.Atoi(minor)
	return n
}
