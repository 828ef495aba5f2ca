package calibrate

// TextRegister is x0, as a word of struct pt_regs.
const TextRegister = 0

// Where the functions of sites_arm64.s have their probes, in bytes.
const (
	nopCallReturn  = 4
	emulatedReturn = 4
	steppedReturn  = 4
	staticBegin    = 8
	staticEnd      = 12
)
