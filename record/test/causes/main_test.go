//go:build linux

package causes

import (
	"os"
	"testing"

	"utrace/record/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
