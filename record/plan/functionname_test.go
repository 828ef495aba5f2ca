package plan

import "testing"

// TestFunctionNames checks which names say that a function is not called, or that its return cannot
// be seen, and which only look like these.
func TestFunctionNames(t *testing.T) {
	for name, want := range map[string]bool{
		"f.cold": true, "f.cold.3": true, "f.colder": false, "cold": false, "f.constprop.0": false,
		"_start": true, "__restore_rt": true, "_dl_runtime_resolve_xsavec": true, "main": false,
	} {
		if got := neverCalled(name) != ""; got != want {
			t.Errorf("neverCalled(%s) = %v", name, got)
		}
	}
	for name, want := range map[string]bool{
		"setjmp": true, "_setjmp": true, "__sigsetjmp": true, "swapcontext": true, "vfork": true, "dlsym": true,
		"_Unwind_RaiseException": true, "__cxa_throw": true, "malloc": false, "settings": false,
	} {
		if got := unsafeReturn(name) != ""; got != want {
			t.Errorf("unsafeReturn(%s) = %v", name, got)
		}
	}
	for name, want := range map[string]bool{"qsort": true, "__libc_start_main": true, "sort": false, "read": false} {
		if got := callsBack(name); got != want {
			t.Errorf("callsBack(%s) = %v", name, got)
		}
	}
}

// TestGoidOffset checks that unknown versions of Go have no offset.
func TestGoidOffset(t *testing.T) {
	for version, want := range map[string]uint16{
		"go1.19.13": 0, "go1.20": 152, "go1.22.1": 152, "go1.23.4": 160, "go1.24": 160, "go1.25.0": 152, "go1.26": 152, "go1.99": 0,
		"devel go1.25": 0, "": 0,
	} {
		if got := goidOffset(version); got != want {
			t.Errorf("goidOffset(%q) = %d, want %d", version, got, want)
		}
	}
}
