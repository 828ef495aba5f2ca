package insn

// The opcode maps of x86-64 (Intel SDM volume 2, appendix A), one letter per opcode:
//
//   - undefined in 64-bit mode, or privileged and rare: not decoded
//     . no operand bytes
//     m ModRM
//     M ModRM and 1 byte immediate
//     Z ModRM and 4 bytes immediate (2 with the prefix 66)
//     b 1 byte immediate or displacement
//     w 2 bytes immediate
//     z 4 bytes immediate (2 with the prefix 66)
//     j 4 bytes displacement
//     q 4 bytes immediate (2 with 66, 8 with REX.W)
//     o 8 bytes absolute address (4 with the prefix 67)
//     e 2 bytes and 1 byte immediate (enter)
//     g, G ModRM, and for its /0 and /1 an immediate of 1 byte, of 4 or 2 bytes (test)
//     p, r legacy prefix, REX prefix
//     x needs a closer look: escapes, VEX, EVEX, XOP, and groups with one defined member
const (
	oneByteMap = "" +
		"mmmmbz--mmmmbz-x" + // 0_
		"mmmmbz--mmmmbz--" + // 1_
		"mmmmbzp-mmmmbzp-" + // 2_
		"mmmmbzp-mmmmbzp-" + // 3_
		"rrrrrrrrrrrrrrrr" + // 4_
		"................" + // 5_
		"--xmppppzZbM...." + // 6_
		"bbbbbbbbbbbbbbbb" + // 7_
		"MZ-Mmmmmmmmmmmmx" + // 8_
		"..........-....." + // 9_
		"oooo....bz......" + // A_
		"bbbbbbbbqqqqqqqq" + // B_
		"MMw.xxxxe.w..b-." + // C_
		"mmmm---.mmmmmmmm" + // D_
		"bbbbbbbbjj-b...." + // E_
		"p.pp..gG......xx" //  F_
	twoByteMap = "" + // after 0F
		"mmmm-.....-.-m.M" + // 0_
		"mmmmmmmmmmmmmmmm" + // 1_
		"--------mmmmmmmm" + // 2_
		"......-.x-x-----" + // 3_
		"mmmmmmmmmmmmmmmm" + // 4_
		"mmmmmmmmmmmmmmmm" + // 5_
		"mmmmmmmmmmmmmmmm" + // 6_
		"MMMMmmm.xm--mmmm" + // 7_
		"jjjjjjjjjjjjjjjj" + // 8_
		"mmmmmmmmmmmmmmmm" + // 9_
		"...mMmmm...mMmmm" + // A_
		"mmmmmmmmmmMmmmmm" + // B_
		"mmMmMMMm........" + // C_
		"mmmmmmmmmmmmmmmm" + // D_
		"mmmmmmmmmmmmmmmm" + // E_
		"mmmmmmmmmmmmmmmm" //  F_
	map38 = "" + // after 0F 38
		"mmmmmmmmmmmm----" + // 0_ ssse3
		"m---mm-m----mmm-" + // 1_ sse4.1
		"mmmmmm--mmmm----" + // 2_
		"mmmmmmmmmmmmmmmm" + // 3_
		"mm--------------" + // 4_
		"----------------" + // 5_
		"----------------" + // 6_
		"----------------" + // 7_
		"mmm-------------" + // 8_ invept
		"----------------" + // 9_
		"----------------" + // A_
		"----------------" + // B_
		"--------mmmmmm-m" + // C_ sha, gfni
		"--------m--mmmmm" + // D_ aes
		"----------------" + // E_
		"mm---mm-mmmmm---" //  F_ movbe, crc32, adx, movdir
	map3A = "" + // after 0F 3A
		"--------MMMMMMMM" + // 0_
		"----MMMM--------" + // 1_
		"MMM-------------" + // 2_
		"----------------" + // 3_
		"MMM-M-----------" + // 4_
		"----------------" + // 5_
		"MMMM------------" + // 6_
		"----------------" + // 7_
		"----------------" + // 8_
		"----------------" + // 9_
		"----------------" + // A_
		"----------------" + // B_
		"------------M-MM" + // C_
		"---------------M" + // D_
		"----------------" + // E_
		"M---------------" //  F_
	vexMap1 = "" + // VEX and EVEX, map 0F
		"----------------" + // 0_
		"mmmmmmmm--------" + // 1_
		"--------mmmmmmmm" + // 2_
		"----------------" + // 3_
		"-mm-mmmm--mm----" + // 4_ mask registers
		"mmmmmmmmmmmmmmmm" + // 5_
		"mmmmmmmmmmmmmmmm" + // 6_
		"MMMMmmm.mmmmmmmm" + // 7_
		"----------------" + // 8_
		"mmmm----mm------" + // 9_ mask registers
		"--------------m-" + // A_ vldmxcsr
		"----------------" + // B_
		"--M-MMM---------" + // C_
		"mmmmmmmmmmmmmmmm" + // D_
		"mmmmmmmmmmmmmmmm" + // E_
		"mmmmmmmmmmmmmmm-" //  F_
)
