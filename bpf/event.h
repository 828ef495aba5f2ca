/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* The contract between the programs in the kernel and the recorder: what lies
 * in the rings and in the maps. event.go reads the same bytes. */
#ifndef UTRACE_EVENT_H
#define UTRACE_EVENT_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

/* In the first field of every record. The kinds of events are those of the trace
 * format. */
enum record_kind {
	KIND_ENTRY = 0,
	KIND_RETURN = 1,
	KIND_TAIL_ENTRY = 2,
	KIND_HIT = 3,
	KIND_SCHED_OUT = 6, /* a thread leaves its CPU; value: its state, 0 if it could run on */
	KIND_SCHED_IN = 7,  /* it runs again */
	KIND_WAKEUP = 8,    /* it may run again; value: the thread that does it, and WAKEUP_IN_INTERRUPT */
	KIND_DROPPED = 9, /* a return like any other, of a call that a condition has dropped */
	KIND_DISPLACED = 10, /* the recorder has run in the place of a thread; value: for how long, in ns, up to now */
	KIND_NAMED = 0x80, /* beside one of these: value stands for the name of the function */
	KIND_ARGS = 0x100, /* in a ring: a struct args_event, see site.h */
	KIND_NAME = 0x200, /* with these two: nothing has happened, the arguments tell the name that name stands for */
	KIND_STACK = 0x400, /* in a ring: a struct stack_event, see stack.h */
};

#define WAKEUP_IN_INTERRUPT (1ULL << 32)

/* One pass over a probe. In a lane the upper three bytes of kind say which lap the
 * record is of (LAP). */
struct event {
	__u32 kind;
	__u32 func;
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 sp;      /* stack pointer at the function's entry, for returns too */
	__u64 value;   /* return value of a return; of an entry what stands for its stack, see stack.h */
	__u32 pid;     /* in the first PID namespace, as is tid */
	__u32 tid;
};

/* Where a CPU's lane of events is written and read. A position is the number of the lap in
 * its upper half, and a place in the lane in the lower half. */
struct lane {
	__u64 head; /* the next to be written, by the programs */
	__u64 unused[7];
	__u64 tail; /* the next to be read, by the recorder: in another cache line */
	__u64 unused2[7];
};

/* What tells a record that is complete from one of the lap before. The first lap has 1. */
#define LAP(position) ((__u32)(((position) >> 32) + 1) << 8)

/* One pass over a probe in Go code, on a goroutine's stack: sp is the number of
 * bytes from the stack pointer up to the top of that stack, which stays the same when the
 * runtime moves the stack. */
struct go_event {
	struct event event;
	__u64 goid;
};

/* What happens to tasks. These records have a ring of their own, so that no
 * flood of events can displace them. */
enum task_kind {
	TASK_FORK = 1, /* a process has been made; nothing of it has run yet */
	TASK_EXEC = 2, /* a process runs another program, with one thread */
	TASK_THREAD_EXIT = 3,
	TASK_PROCESS_EXIT = 4, /* its last thread has ended, which is also told by this */
};

struct task {
	__u32 kind;
	__u32 other;   /* of TASK_FORK the parent; of TASK_EXEC the former ID of the thread */
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u8 comm[16]; /* the name of the thread; of TASK_FORK and TASK_EXEC that of the process, too */
	__u32 pid;     /* in the first PID namespace, as are tid and other */
	__u32 tid;
};

/* What one CPU could not record since the recorder last took this. */
struct loss {
	__u64 first_ns, last_ns; /* CLOCK_MONOTONIC */
	__u64 entries, returns;  /* hits count as entries */
	__u64 sched;             /* records of the scheduler */
	__u64 unused[3];         /* a cache line */
};

/* What was lost, or not kept, of one function. */
struct func_loss {
	__u64 entries, returns;
};

/* A probe's cookie is its function in the lower half; then the kind of record
 * that it makes; then, for Go code, the offset of goid in the runtime's struct g. */
#define COOKIE_KIND(cookie) ((__u32)((cookie) >> 32) & 0xffff)
#define COOKIE_GOID(cookie) ((__u32)((cookie) >> 48))

_Static_assert(sizeof(struct go_event) == 48, "read by event.go");
_Static_assert(sizeof(struct event) == 40, "read by event.go");
_Static_assert(sizeof(struct task) == 40, "read by event.go");
_Static_assert(sizeof(struct loss) == 64, "read by lane.go");
_Static_assert(sizeof(struct lane) == 128, "read by lane.go");

#endif
