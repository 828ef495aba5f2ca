// Executes its arguments as a program that differs from others in whatever a process inherits.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void limit(int resource, rlim_t soft, rlim_t hard) {
	struct rlimit l = {soft, hard};
	setrlimit(resource, &l);
}

static void write_text(const char *path, const char *text) {
	FILE *file = fopen(path, "w");
	if (file) fputs(text, file), fclose(file);
}

int main(int argc, char **argv) {
	int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGUSR1, SIGALRM, SIGCHLD, SIGTSTP, SIGTTOU, SIGXFSZ, SIGRTMIN + 6, SIGRTMAX};
	int blocked[] = {SIGINT, SIGTERM, SIGUSR2, SIGCONT, SIGPROF, SIGSEGV, SIGURG, SIGTSTP, SIGRTMIN + 7};
	sigset_t set;
	sigemptyset(&set);
	for (int i = 0; i < sizeof ignored / sizeof *ignored; i++) signal(ignored[i], SIG_IGN);
	for (int i = 0; i < sizeof blocked / sizeof *blocked; i++) sigaddset(&set, blocked[i]);
	sigprocmask(SIG_SETMASK, &set, 0);

	umask(0137);
	limit(RLIMIT_NOFILE, 700, 5000);
	limit(RLIMIT_STACK, 4 << 20, 64 << 20);
	limit(RLIMIT_CORE, 0, 4096);
	nice(5);
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	sched_setaffinity(0, sizeof cpus, &cpus);
	syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 5);
	prctl(PR_SET_TIMERSLACK, 123456);
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	personality(ADDR_NO_RANDOMIZE);
	write_text("/proc/self/oom_score_adj", "77");
	write_text("/proc/self/coredump_filter", "0x7");
	dup2(open("/etc/passwd", O_RDONLY), 17);
	close(3);
	execvp(argv[1], argv + 1);
	return 127;
}
