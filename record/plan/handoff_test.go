package plan

import "testing"

// TestCurgOffset checks the offsets of versions whose debug information was read (1.20, 1.24,
// 1.26), and that unknown versions have none.
func TestCurgOffset(t *testing.T) {
	for version, want := range map[string]uint16{
		"go1.19.13": 0, "go1.20.14": 192, "go1.24": 192, "go1.25.0": 184, "go1.26.8": 184, "go1.99": 0, "devel go1.25": 0, "": 0,
	} {
		if got := curgOffset(version); got != want {
			t.Errorf("curgOffset(%q) = %d, want %d", version, got, want)
		}
	}
}
