package calibrate

// TextRegister is %rax, as a word of struct pt_regs.
const TextRegister = 10

// Where the functions of sites_amd64.s have their probes, in bytes.
const (
	nopCallReturn  = 5
	emulatedReturn = 2
	steppedReturn  = 3
	staticBegin    = 7
	staticEnd      = 8
)
