// Static probes whose notes are wrong: one points into an instruction, at a byte that looks like a nop, one at an instruction
// that is no nop. The last is right, and reached as often as the program says.
#include <stdio.h>

#define NOTE(place, name)                                                                                    \
	".pushsection .note.stapsdt,\"?\",\"note\"\n.balign 4\n.4byte 992f-991f,994f-993f,3\n"                      \
	"991: .asciz \"stapsdt\"\n992: .balign 4\n993: .8byte " place ", 0, 0\n"                                 \
	".asciz \"misplaced\"\n.asciz \"" name "\"\n.asciz \"\"\n994: .balign 4\n.popsection\n"

__attribute__((noipa)) static unsigned pass(void)
{
	unsigned v;
	__asm__ volatile("990: mov $0x90909090, %0\n" NOTE("990b+1", "inside") NOTE("990b", "start")
			 "990: nop\n" NOTE("990b", "right")
			 : "=r"(v));
	return v;
}

int main(void)
{
	int passes = 5;
	for (int i = 0; i < passes; i++)
		printf("%x ", pass());
	printf("%d\n", passes);
}
