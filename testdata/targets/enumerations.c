/* Enumerations of each size and sign, with the constants that need the top bit of their form. Prints its calls as analyze --flow
 * shows them. In C++ the types are fixed; in C, -fshort-enums gives the same sizes. */
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
#define FIXED(type) : type
#else
#define FIXED(type)
#endif
#ifdef __clang__
#define PROBED __attribute__((noinline))
#else
#define PROBED __attribute__((noipa))
#endif

enum color8 FIXED(uint8_t) { BLACK8, HALF8 = 0x80, WHITE8 = 0xff };
enum color16 FIXED(uint16_t) { BLACK16, GREY16 = 0xff, HALF16 = 0x8000, WHITE16 = 0xffff };
enum color32 FIXED(uint32_t) { BLACK32, GREY32 = 0xff, HALF32 = 0x80000000u, WHITE32 = 0xffffffffu };
enum color64 FIXED(uint64_t) { BLACK64, GREY64 = 0xff, MIDDLE64 = 0xffffffffu, HALF64 = 0x8000000000000000u, WHITE64 = 0xffffffffffffffffu };
enum level8 FIXED(int8_t) { LOW8 = -128, MINUS8 = -1, ZERO8, HIGH8 = 127 };
enum level16 FIXED(int16_t) { LOW16 = -32768, MINUS16 = -1, ZERO16, BYTE16 = 0xff, HIGH16 = 32767 };
enum level32 FIXED(int32_t) { LOW32 = -2147483647 - 1, MINUS32 = -1, ZERO32, BYTE32 = 0xff, HIGH32 = 2147483647 };
enum level64 FIXED(int64_t) { LOW64 = -9223372036854775807 - 1, MINUS64 = -1, ZERO64, BYTE64 = 0xff, WORD64 = 0xffffffff, HIGH64 = 9223372036854775807 };

static volatile long sink;

#define FUNCTION(name) PROBED enum name name##_in(enum name c) { sink++; return c; }
FUNCTION(color8) FUNCTION(color16) FUNCTION(color32) FUNCTION(color64)
FUNCTION(level8) FUNCTION(level16) FUNCTION(level32) FUNCTION(level64)

#define CALL(name, value) printf("%s_in(%s) = %s;\n", #name, #value, #value), sink += name##_in((enum name)value)

int main(void)
{
	for (int round = 0; round < 3; round++) {
		CALL(color8, BLACK8), CALL(color8, HALF8), CALL(color8, WHITE8), CALL(color8, 5);
		CALL(color16, BLACK16), CALL(color16, GREY16), CALL(color16, HALF16), CALL(color16, WHITE16), CALL(color16, 5);
		CALL(color32, BLACK32), CALL(color32, GREY32), CALL(color32, HALF32), CALL(color32, WHITE32), CALL(color32, 5);
		CALL(color64, BLACK64), CALL(color64, GREY64), CALL(color64, MIDDLE64), CALL(color64, HALF64), CALL(color64, WHITE64), CALL(color64, 5);
		CALL(level8, LOW8), CALL(level8, MINUS8), CALL(level8, ZERO8), CALL(level8, HIGH8), CALL(level8, -5);
		CALL(level16, LOW16), CALL(level16, MINUS16), CALL(level16, ZERO16), CALL(level16, BYTE16), CALL(level16, HIGH16), CALL(level16, -5);
		CALL(level32, LOW32), CALL(level32, MINUS32), CALL(level32, ZERO32), CALL(level32, BYTE32), CALL(level32, HIGH32), CALL(level32, -5);
		CALL(level64, LOW64), CALL(level64, MINUS64), CALL(level64, ZERO64), CALL(level64, BYTE64), CALL(level64, WORD64), CALL(level64, HIGH64), CALL(level64, -5);
	}
	return 0;
}
