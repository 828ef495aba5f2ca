package calibrate

// TextRegister is x0, as a word of struct pt_regs.
const TextRegister = 0
