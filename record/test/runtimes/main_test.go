//go:build linux

package runtimes

import (
	"os"
	"testing"

	"utrace/record/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
