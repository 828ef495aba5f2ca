// Prints what a process has from its parent and from execve, one line each. Its lines are the same
// alone and recorded.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/prctl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

static int by_text(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

static void print_files(void) {
	DIR *dir = opendir("/proc/self/fd");
	char *lines[256];
	int n = 0;
	for (struct dirent *e; (e = readdir(dir)) && n < 256;) {
		int fd = atoi(e->d_name);
		if (e->d_name[0] == '.' || fd == dirfd(dir)) continue;
		asprintf(&lines[n++], "open file %3d: mode %x, flags %x", fd, fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
	}
	closedir(dir);
	qsort(lines, n, sizeof *lines, by_text);
	for (int i = 0; i < n; i++) puts(lines[i]), free(lines[i]);
}

// print_lines prints the lines of a file that begin with one of the words, all without words.
static void print_lines(const char *path, const char *words) {
	FILE *file = fopen(path, "r");
	char line[4096];
	while (file && fgets(line, sizeof line, file)) {
		char name[64] = " ";
		sscanf(line, "%60[^:]:", name + 1);
		strcat(name, " ");
		if (!words || strstr(words, name)) printf("%s: %s%s", path, line, strchr(line, '\n') ? "" : "\n");
	}
	if (file) fclose(file);
}

static void print_link(const char *path) {
	char target[4096] = "";
	readlink(path, target, sizeof target - 1);
	printf("%s: %s\n", path, target);
}

static void print_rights(void) {
	int uid[3], gid[3];
	getresuid(&uid[0], &uid[1], &uid[2]);
	getresgid(&gid[0], &gid[1], &gid[2]);
	printf("users %d %d %d, groups %d %d %d:", uid[0], uid[1], uid[2], gid[0], gid[1], gid[2]);
	gid_t groups[256];
	for (int i = 0, n = getgroups(256, groups); i < n; i++) printf(" %d", groups[i]);
	printf("\nsecure %ld, securebits %d, dumpable %d\n", getauxval(AT_SECURE), prctl(PR_GET_SECUREBITS), prctl(PR_GET_DUMPABLE));
	print_lines("/proc/self/status", " Umask Groups CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp Seccomp_filters "
		"Cpus_allowed Mems_allowed SigPnd ShdPnd SigBlk SigIgn THP_enabled Speculation_Store_Bypass CoreDumping ");
}

static void print_scheduling(void) {
	printf("nice %d, policy %d, I/O priority %ld\n", getpriority(PRIO_PROCESS, 0), sched_getscheduler(0), syscall(SYS_ioprio_get, 1, 0));
	printf("timer slack %d\n", prctl(PR_GET_TIMERSLACK));
	int signal = 0, reaper = 0;
	prctl(PR_GET_PDEATHSIG, &signal);
	prctl(PR_GET_CHILD_SUBREAPER, &reaper);
	printf("parent-death signal %d, subreaper %d, no huge pages %d\n", signal, reaper, prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
	printf("personality %x\n", personality(0xffffffff));
	printf("leader of session %d, of group %d; foreground %d\n", getsid(0) == getpid(), getpgrp() == getpid(), tcgetpgrp(2) == getpgrp());
}

int work(int n) { return n + 1; }

int main(int argc, char **argv) {
	work(argc);
	print_files();
	print_rights();
	print_scheduling();
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit limit;
		getrlimit(i, &limit);
		printf("limit %d: %llx %llx\n", i, (long long)limit.rlim_cur, (long long)limit.rlim_max);
	}
	print_lines("/proc/self/oom_score_adj", 0);
	print_lines("/proc/self/coredump_filter", 0);
	print_lines("/proc/self/cgroup", 0);
	print_lines("/proc/self/comm", 0);
	print_lines("/proc/self/loginuid", 0);
	for (const char *paths[] = {"cwd", "root", "exe", "ns/mnt", "ns/net", "ns/pid", "ns/pid_for_children", "ns/user", "ns/uts", "ns/ipc", "ns/cgroup", "ns/time"}, **p = paths; p < (&paths)[1]; p++) {
		char path[64];
		snprintf(path, sizeof path, "/proc/self/%s", *p);
		print_link(path);
	}
	printf("executed as %s\n", (char *)getauxval(AT_EXECFN));
	for (int i = 0; i < argc; i++) printf("argument: %s\n", argv[i]);
	for (char **e = environ; *e; e++) printf("environment: %s\n", *e);
	fflush(stdout);
	return 42;
}
