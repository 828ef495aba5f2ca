/* What CPython 3.12 to 3.14 look like from outside: a version, and probes but none of functions. With
 * -DWITHOUT none at all. */
#include <sys/sdt.h>

const unsigned long Py_Version = 0x030c01f0;
const char *Py_GetVersion(void) { return "3.12.1"; }

int main(void)
{
#ifndef WITHOUT
	STAP_PROBE1(python, gc__start, 0);
	STAP_PROBE1(python, gc__done, 0L);
#endif
	return 0;
}
