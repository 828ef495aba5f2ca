package calibrate

// TextRegister is %rax, as a word of struct pt_regs.
const TextRegister = 10
