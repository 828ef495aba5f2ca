//go:build linux

package bystander

import (
	"os"
	"testing"

	"utrace/record/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
