//go:build linux

package usdt

import (
	"os"
	"testing"

	"utrace/record/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
