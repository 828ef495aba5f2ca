/* Makes children in the way that the first argument names, COUNT of them, and calls a
 * known number of functions in each. Prints "NAME PID CALLS" for each process. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

__attribute__((noinline, noipa)) int work(int x) { return x + 1; }

/* All of what a process does, and says: the number of its calls of work. */
__attribute__((noinline, noipa)) void job(const char *name, int calls)
{
	for (int i = 0; i < calls; i++)
		work(i);
	char line[100];
	int n = snprintf(line, sizeof line, "%s %d %d\n", name, (int)getpid(), calls);
	write(1, line, n);
}

__attribute__((noinline, noipa)) void tree(int depth, int width)
{
	for (int i = 0; depth > 0 && i < width; i++)
		if (fork() == 0) {
			tree(depth - 1, width);
			job("node", 10 * depth + i);
			_exit(0);
		}
	while (wait(0) > 0)
		;
}

static int cloned(void *arg)
{
	job("clone", 7);
	return 0;
}

static void *threaded(void *arg)
{
	char *args[] = {"family", "job", "exec-thread", "11", 0};
	execv("/proc/self/exe", args);
	return 0;
}

static void *idle(void *arg)
{
	for (;;)
		pause();
}

/* Leaves calls open behind it. */
__attribute__((noinline, noipa)) void leave(void)
{
	job("reuse", 3);
	_exit(0);
}

/* Has the next process get this PID, if nobody else takes it. */
static void next_pid(pid_t pid)
{
	FILE *f = fopen("/proc/sys/kernel/ns_last_pid", "w");
	if (f) {
		fprintf(f, "%d", (int)pid - 1);
		fclose(f);
	}
}

int main(int argc, char **argv)
{
	const char *how = argv[1];
	int count = argc > 2 ? atoi(argv[2]) : 3;
	char *args[] = {"family", "job", "child", "5", 0};

	if (!strcmp(how, "job")) {
		job(argv[2], atoi(argv[3]));
		return 0;
	}
	if (!strcmp(how, "tree"))
		tree(count, 2);
	for (int i = 0; i < count; i++) {
		pid_t pid = 0;
		if (!strcmp(how, "fork")) {
			if ((pid = fork()) == 0) {
				job("fork", 3);
				_exit(0);
			}
		} else if (!strcmp(how, "vfork")) {
			if ((pid = vfork()) == 0) {
				work(0);
				execv("/proc/self/exe", args);
				_exit(1);
			}
		} else if (!strcmp(how, "spawn")) {
			posix_spawn(&pid, "/proc/self/exe", 0, 0, args, environ);
		} else if (!strcmp(how, "clone")) {
			char *stack = mmap(0, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			pid = clone(cloned, stack + (1 << 16), SIGCHLD | (i % 2 ? CLONE_VM : 0), 0);
		} else if (!strcmp(how, "orphan")) {
			if ((pid = fork()) == 0) {
				if (fork() == 0) {
					usleep(300000);
					job("orphan", 9);
					_exit(0);
				}
				_exit(0);
			}
		} else if (!strcmp(how, "reuse")) {
			static pid_t last;
			if (last)
				next_pid(last);
			if ((pid = fork()) == 0)
				leave();
			last = pid;
		} else if (!strcmp(how, "late")) {
			if ((pid = fork()) == 0) {
				usleep(1000 * 1000);
				job("late", 6);
				_exit(0);
			}
		} else if (!strcmp(how, "exec-thread")) {
			if ((pid = fork()) == 0) {
				pthread_t t;
				job("before", 2);
				pthread_create(&t, 0, idle, 0);
				pthread_create(&t, 0, threaded, 0);
				pthread_join(t, 0);
			}
		}
		if (pid > 0)
			waitpid(pid, 0, 0);
	}
	job("parent", 4);
	return 0;
}
