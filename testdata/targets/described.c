// Static probes for (...): locations of one probe with different arguments, and texts of known
// providers. Prints the calls that a trace must show.
#include <stdio.h>
#include <string.h>
#include <sys/sdt.h>

int main(void) {
	volatile int one = 1, minus = -3;
	volatile long large = 5000000000;
	char query[20], other[20];
	strcpy(query, "select 1");
	strcpy(other, "not known");

	STAP_PROBE1(described, vary, one);
	puts("vary(1, ?, ?, ?, ?);");
	STAP_PROBE3(described, vary, large, minus, one);
	puts("vary(5000000000, -3, 1, ?, ?);");
	STAP_PROBE5(described, vary, minus, one, one, large, query[0]);
	puts("vary(-3, 1, 1, 5000000000, 115);");

	STAP_PROBE1(postgresql, query__start, query);
	STAP_PROBE1(postgresql, query__done, query);
	puts("query(\"select 1\") = \"select 1\";");
	STAP_PROBE2(postgresql, lwlock__release, query, minus);
	puts("lwlock__release(\"select 1\", -3);");
	STAP_PROBE2(postgresql, lwlock__acquire, one, minus); // as in PostgreSQL 9.3
	puts("lwlock__acquire(1, -3);");
	STAP_PROBE3(php, error, query, other, one);
	puts("error(\"select 1\", \"not known\", 1);");
	STAP_PROBE4(hotspot, class__loaded, query, 6, large, one);
	puts("class__loaded(\"select\", 6, 5000000000, 1);");
	STAP_PROBE1(described, text, other);
	printf("text(%lu);\n", (unsigned long)other);
	return 0;
}
