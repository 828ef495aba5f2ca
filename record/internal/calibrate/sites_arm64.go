package calibrate

// TextRegister is x0, as a word of struct pt_regs.
const TextRegister = 0

// Offsets of the probes in the functions of sites_arm64.s, in bytes.
const (
	nopCallReturn  = 4
	emulatedReturn = 4
	steppedReturn  = 4
	usdtBegin      = 8
	usdtEnd        = 12
)
