//go:build linux

package calls

import (
	"strings"
	"testing"

	"utrace/record/test/harness"
)

// resolves prints the flow that utrace must show, with the names of the C library.
const resolves = `
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#define TRY(result, want) do { if ((result) != (want)) printf("unexpected\n"); else puts(#want); } while (0)
int main(void)
{
	struct addrinfo *list, hints;
	struct sockaddr_in any = { .sin_family = 77 };
	char host[4];
	memset(&hints, 0, sizeof hints);
	hints.ai_flags = AI_NUMERICHOST;
	TRY(getaddrinfo("127.0.0.1", "80", &hints, &list), 0);
	TRY(getaddrinfo("not a number", 0, &hints, &list), EAI_NONAME);
	TRY(getaddrinfo("127.0.0.1", "no such service", &hints, &list), EAI_SERVICE);
	hints.ai_family = 77;
	TRY(getaddrinfo("127.0.0.1", 0, &hints, &list), EAI_FAMILY);
	hints.ai_flags = -1;
	TRY(getaddrinfo("127.0.0.1", 0, &hints, &list), EAI_BADFLAGS);
	TRY(getnameinfo((struct sockaddr *)&any, sizeof any, host, sizeof host, 0, 0, NI_NUMERICHOST), EAI_FAMILY);
	any.sin_family = AF_INET;
	any.sin_addr.s_addr = inet_addr("127.0.0.1");
	TRY(getnameinfo((struct sockaddr *)&any, sizeof any, host, sizeof host, 0, 0, NI_NUMERICHOST), EAI_OVERFLOW);
	return 0;
}
`

// TestResolutionFailures: results of getaddrinfo and getnameinfo have names in flows and
// conditions, and all but 0 are errors.
func TestResolutionFailures(t *testing.T) {
	program := harness.Program(t, "resolves", resolves)
	flags := []string{"-e", "c:getaddrinfo -> s32", "-e", "c:getnameinfo -> s32"}
	got, trace, stdout := harness.RecordFlow(t, flags, program)
	var results []string
	for _, line := range got {
		_, result, _ := strings.Cut(strings.TrimSuffix(line, ";"), "() = ")
		results = append(results, result)
	}
	harness.WantLines(t, results, harness.Lines(stdout))

	var report struct {
		Functions []struct {
			Name   string
			Errors uint64
		}
	}
	harness.AnalyzeJSON(t, &report, "--sort", "name", trace)
	if fs := report.Functions; len(fs) != 2 || fs[0].Errors != 4 || fs[1].Errors != 2 {
		t.Errorf("errors %+v", fs)
	}

	got, _, _ = harness.RecordFlow(t, []string{"-e", `c:getaddrinfo -> s32 if ret == "EAI_SERVICE" || ret == -1`}, program)
	harness.WantLines(t, got, []string{"getaddrinfo() = EAI_SERVICE;", "getaddrinfo() = EAI_BADFLAGS;"})
}
