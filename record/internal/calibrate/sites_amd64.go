package calibrate

// TextRegister is %rax, as a word of struct pt_regs.
const TextRegister = 10

// Offsets of the probes in the functions of sites_amd64.s, in bytes.
const (
	nopCallReturn  = 5
	emulatedReturn = 2
	steppedReturn  = 3
	usdtBegin      = 7
	usdtEnd        = 8
)
