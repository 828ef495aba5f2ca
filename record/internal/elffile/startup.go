package elffile

// IsStartup reports whether a symbol is of a function that every program has from its compiler.
// Nobody means these by "all functions".
func IsStartup(symbol string) bool {
	switch symbol {
	case "_start", "_init", "_fini", "frame_dummy", "register_tm_clones", "deregister_tm_clones",
		"__do_global_dtors_aux", "__do_global_ctors_aux", "_dl_relocate_static_pie",
		"__libc_csu_init", "__libc_csu_fini", "__gmon_start__", "atexit", "at_quick_exit":
		return true
	}
	return false
}
