/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* All types and constants. Most are a contract between the programs in the kernel and the recorder:
 * the records in lanes and rings, and the keys and values of maps. contract_test.go compares each
 * of those with the Go code, in the BTF of the compiled objects. */
#ifndef UTRACE_TYPES_H
#define UTRACE_TYPES_H

#include "arch.h"

/* Limits of tables, texts and loops. */
enum limit {
	MAX_ARGS = 12,               /* arguments of a site */
	MAX_CONDS = 16,              /* comparisons of a site */
	MAX_DEREFS = 3,              /* pointers on the path to an argument */
	MAX_PATTERN = 64,            /* bytes of a text in a condition */
	MAX_TEXT = 4096,             /* bytes of an argument's text, with its NUL */
	MAX_TEXTS = 12288,           /* bytes of an event's texts; none begins in the last MAX_TEXT */
	MAX_OPEN_TEXTS = 2048,       /* bytes of an open call's texts */
	MAX_MATCHED = 256,           /* bytes of a text that a condition looks at */
	MAX_NAME = 1024,             /* bytes of a text that count for a name */
	MAX_NESTED = 2048,           /* nested calls of a function whose decisions are kept, see pair.h */
	MAX_FRAMES = 127,            /* return addresses of a stack */
	MAX_OPEN_CALLS = 65536,      /* open deferred calls, of all threads */
	MAX_LOOP = 256,              /* turns of each of two nested loops, see REPEATED */
	MAX_FAULTS = 3,              /* pages that are brought into memory for one text */
	SCRATCHES_PER_CPU = 4,       /* programs may interrupt each other on a CPU */
	GENERATIONS = 65536,         /* entries of the map generations */
	COMM_BYTES = 16,             /* TASK_COMM_LEN of include/linux/sched.h */
	PAGE_BYTES = 4096,           /* the smallest page */
	WAKEUP_IN_INTERRUPT_BIT = 32, /* of the value of KIND_WAKEUP, as is the next */
	WAKEUP_SENT_BIT = 33,
	WAKEUP_GOROUTINE_BIT = 34,
	WAKEUP_SLEPT_BIT = 35,
	GO_STACK_TOP_BIT = 40,       /* see GO_STACK_TOP */
	COOKIE_KIND_BIT = 32,        /* see COOKIE_KIND */
	SESSION_RETURN_BIT = 32,     /* see SESSION_RETURN */
	COOKIE_GOID_BIT = 48,        /* see COOKIE_GOID */
	LAP_BIT = 8,                 /* see LAP */
};

/* The kind of a record, in its first field. Kinds of events are those of the trace format. */
enum record_kind {
	KIND_ENTRY = 0,
	KIND_RETURN = 1,
	KIND_TAIL_ENTRY = 2,
	KIND_HIT = 3,
	KIND_SCHED_OUT = 6,  /* a thread leaves its CPU; value: its state, 0 if it can run on */
	KIND_SCHED_IN = 7,   /* a thread runs again */
	KIND_WAKEUP = 8,     /* a thread may run again; value: the waker, and bits */
	KIND_DROPPED = 9,    /* a return like any other, of a call that a condition has dropped */
	KIND_DISPLACED = 10, /* the recorder pre-empted a thread; value: for how long until now, in ns */
	KIND_SAMPLE = 12,    /* a thread runs; value: the number of its stack */

	/* Added to one of these: */
	KIND_NAMED = 0x80,  /* value is the number of the function's name, see name.h */
	KIND_ARGS = 0x100,  /* in a ring: a struct args_event */
	KIND_NAME = 0x200,  /* with KIND_NAMED and KIND_ARGS: no event, only the arguments of a name */
	KIND_STACK = 0x400, /* in a ring: a struct stack_event; with KIND_SAMPLE that of a sample */
};

#define WAKEUP_IN_INTERRUPT (1ULL << WAKEUP_IN_INTERRUPT_BIT)
#define WAKEUP_SENT (1ULL << WAKEUP_SENT_BIT)
#define WAKEUP_SLEPT (1ULL << WAKEUP_SLEPT_BIT)
#define WAKEUP_GOROUTINE (1ULL << WAKEUP_GOROUTINE_BIT)

/* One execution of a probe. In a lane the upper three bytes of kind say which lap the record
 * belongs to, see LAP. */
struct event {
	__u32 kind;
	__u32 func;
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 sp;      /* stack pointer at the function's entry, for returns as well */
	__u64 value;   /* return value of a return; the number of its stack for an entry, see stack.h */
	__u32 pid;     /* in the first PID namespace, as is tid */
	__u32 tid;
};

/* Where a CPU's lane of events is written and read. A position has the number of the lap in its
 * upper half, and a slot of the lane in its lower half. */
struct lane {
	__u64 head; /* next to write, by the programs */
	__u64 unused[7];
	__u64 tail; /* next to read, by the recorder: in another cache line */
	__u64 unused2[7];
};

/* Distinguishes a complete record from a record of the lap before. The first lap has 1. */
#define LAP(position) ((__u32)(((position) >> 32) + 1) << LAP_BIT)

/* One execution of a probe in Go code, on a goroutine's stack. sp is the distance in bytes from the
 * stack pointer up to the top of that stack: it stays the same when the runtime moves the stack. */
struct go_event {
	struct event event;
	__u64 goid;
};

/* Stack pointers of goroutines are counted down from here, so that they fall with the depth, as on
 * other stacks. */
#define GO_STACK_TOP (1ULL << GO_STACK_TOP_BIT)

/* Added to the number of a goroutine in fields that may also hold the number of a thread. */
#define GOROUTINE (1ULL << 63)

/* An event with arguments. Its kind has KIND_ARGS. */
struct args_event {
	struct event event; /* value: argument key, or what a function returns */
	__u64 name;         /* with SITE_NAMED the number of the name, else 0 */
	__u64 goid;         /* as in struct go_event; 0 for none */
	__u16 unreadable;   /* mask of arguments */
	__u8 args;
	__u8 reserved;
	__u32 bytes;            /* of texts */
	__u64 values[MAX_ARGS]; /* of a text: upper half its offset in texts, lower half its bytes; if it is unreadable, its address */
};

/* A stack: in a ring, ahead of the first event of a process that has it. A sample's begins with the
 * address of the instruction, plus 1: like a return address, it lies behind what it stands for. */
struct stack_event {
	__u32 kind; /* KIND_STACK */
	__u32 frames;
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 stack;   /* its number in the events of the process */
	__u32 pid;     /* in the first PID namespace, as is tid */
	__u32 tid;
	__u64 leaf_returns_to; /* of a sample: the return address of its function, if that has no frame
	                        * and makes no calls; else anything; 0 for none */
	__u64 returns_to[MAX_FRAMES]; /* return addresses, the innermost first */
};

/* What happens to tasks. */
enum task_kind {
	TASK_FORK = 1, /* a process was made; it has not run yet */
	TASK_EXEC = 2, /* a process runs another program, with one thread */
	TASK_THREAD_EXIT = 3,
	TASK_PROCESS_EXIT = 4, /* the last thread of a process ended; that thread has no other record */
};

/* These records have a ring of their own: no flood of events can leave them without room. */
struct task {
	__u32 kind;
	__u32 other;   /* TASK_FORK: the parent; TASK_EXEC: the former ID of the thread;
	                * TASK_PROCESS_EXIT: the signal that killed it, 0 for none */
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u8 comm[COMM_BYTES]; /* name of the thread; of TASK_FORK and TASK_EXEC also of the process */
	__u32 pid;     /* in the first PID namespace, as are tid and other */
	__u32 tid;
};

/* Events that one CPU lost since the recorder last read this. */
struct loss {
	__u64 first_ns, last_ns; /* CLOCK_MONOTONIC */
	__u64 entries, returns;  /* hits count as entries */
	__u64 sched;             /* records of the scheduler */
	__u64 unused[3];         /* fills a cache line */
};

/* Events of one function that were lost, or not kept. */
struct func_loss {
	__u64 entries, returns;
};

/* A probe's cookie: the function in the lower half, then the kind of its records, then, for Go
 * code, the offset of goid in the runtime's struct g. */
#define COOKIE_KIND(cookie) ((__u32)((cookie) >> COOKIE_KIND_BIT) & 0xffff)
#define COOKIE_GOID(cookie) ((__u32)((cookie) >> COOKIE_GOID_BIT))

/* The cookie of a session: the site of the entry in the lower half, that of the return in the upper. */
#define SESSION_RETURN(cookie) ((__u32)((cookie) >> SESSION_RETURN_BIT))

/* A function under an overhead limit. The recorder sets the costs and turns the function on and
 * off; the programs count. */
struct func_limit {
	__u64 entries; /* executions of its probes while it was on; and hits of probes without a return */
	__u64 returns;
	__u32 entry_ns, return_ns; /* cost of an execution */
	__u32 off;                 /* it records nothing */
	__u32 reserved;
};

/* What a process has had to bear from probes, and what it has done, on one CPU. */
struct process_use {
	__u64 cost_ns;      /* executions of all probes, those of functions that are off included */
	__u64 socket_calls; /* since there is a value; 0 before Linux 6.3 */
};

/* How to read an argument. */
enum arg_from {
	ARG_CONSTANT = 0, /* disp */
	ARG_REGISTER = 1, /* base */
	ARG_MEMORY = 2,   /* memory at an address, see struct arg */
	ARG_NOWHERE = 3,  /* cannot be read */
	ARG_ADDRESS = 4,  /* the address itself */
};

/* What an argument is. */
enum arg_as {
	AS_NUMBER = 0,
	AS_STRING = 1, /* the address of bytes up to a NUL */
	AS_BYTES = 2,  /* the address of as many bytes as argument length_arg says */
};

/* Numbers of registers are words of struct pt_regs; these follow. */
enum arg_register {
	REGISTERS = sizeof(struct pt_regs) / 8,
	REGISTER_TLS = REGISTERS,       /* the base of the thread's own variables */
	REGISTER_ENTRY = REGISTERS + 1, /* the address of the function's probed entry */
	ALL_REGISTERS,
	NO_REGISTER = 255,
};

/* An argument of a site. An address starts as register base. Each deref in turn replaces it by the
 * pointer read at address + deref. At the end (index << shift) + disp is added. */
struct arg {
	__u8 from; /* enum arg_from */
	__u8 as;   /* enum arg_as */
	__u8 size; /* of the number or address: 1, 2, 4 or 8 bytes */
	__u8 is_signed;
	__u8 base, index; /* enum arg_register */
	__u8 shift;       /* of index; of a register: to the right, of its value; bits */
	__u8 length_arg;
	__u32 max;         /* bytes of a text to read, with its NUL, at most MAX_TEXT */
	__u8 index_low;    /* only the lower half of the index counts */
	__u8 index_signed; /* that half is signed */
	__u8 derefs;       /* how many of deref are used */
	__u8 reserved;
	__s64 disp;
	__s32 deref[MAX_DEREFS];
	__u32 reserved2;
};

enum cond_op {
	COND_EQUAL = 0,
	COND_LESS = 1,
	COND_LESS_OR_EQUAL = 2,
	COND_TEXT = 3, /* equal to text */
	COND_GLOB = 4, /* matches text, with * and ? */
};

/* How a condition ends, instead of the index of the next comparison. */
enum cond_end {
	COND_KEEP = 254,
	COND_DROP = 255,
};

/* What is compared, instead of the index of an argument. */
enum cond_subject {
	COND_PID = 240,
	COND_TID = 241,
	COND_COMM = 242,
	COND_DURATION = 243,
};

/* One comparison of a condition. Its outcome says which comparison is next, or how the condition
 * ends. */
struct cond {
	__u8 op;  /* enum cond_op */
	__u8 arg; /* an argument, or enum cond_subject */
	__u8 is_signed;
	__u8 length; /* of text */
	__u8 yes, no;
	__u8 late;   /* made at the return, of the return's arguments */
	__u8 negate; /* holds where the comparison does not, except for an unreadable argument */
	__u64 value;
	char text[MAX_PATTERN];
};

enum site_flag {
	SITE_NAMED = 1,       /* the arguments of the mask named are the name of a function */
	SITE_NESTED = 2,      /* a return shares its entry's decision; only nesting pairs them */
	SITE_KEYED = 4,       /* argument key distinguishes calls */
	SITE_FRAME = 8,       /* the stack pointer is the same at a call's begin and end */
	SITE_FUNCTION = 16,   /* the entry or return of a function; value is its result */
	SITE_TRAMPOLINE = 32, /* a return probe: it goes through the kernel's trampoline */
	SITE_PAIRED = 64,     /* as SITE_NESTED, but the stack pointer or SITE_KEYED pairs them */
	SITE_DEFERRED = 128,  /* see deferred.h; excludes SITE_NESTED and SITE_PAIRED */
	SITE_NO_RETURN = 256, /* of a function whose return is not seen */
	SITE_THREAD = 512,    /* its return needs REGISTER_TLS and REGISTER_ENTRY */
};

/* What to do at a site with arguments, results or conditions. */
struct site {
	__u32 func;
	__u8 kind; /* enum record_kind */
	__u8 args, conds;
	__u8 key;
	__u16 named;
	__u16 flags; /* enum site_flag */
	__u16 goid;  /* see COOKIE_GOID */
	__u16 reserved;
	struct arg arg[MAX_ARGS];
	struct cond cond[MAX_CONDS];
};

struct thread_key {
	__u64 thread; /* or a goroutine's number and GOROUTINE */
	__u32 tgid;
	__u32 reserved;
};

/* The open deferred calls of a thread. */
struct thread_calls {
	__u32 depth;   /* how many there are */
	__u32 written; /* how many of them, from the outermost on, have their entry written */
};

struct call_key {
	__u64 thread; /* as in struct thread_key */
	__u32 tgid;
	__u32 depth;
};

enum call_state {
	CALL_UNDECIDED = 0,
	CALL_KEPT = 1,
	CALL_UNWANTED = 2, /* its entry did not meet the condition; treated as if it were not there */
};

struct open_call {
	__u64 sp;    /* for a goroutine counted down from GO_STACK_TOP */
	__u64 name;  /* of SITE_NAMED */
	__u64 stack; /* of callers, see stack.h; 0 if stacks are not recorded */
	__u64 time_ns;
	__u64 child_ns;   /* of the complete calls in it */
	__u64 dropped_ns; /* of those of them that are not written */
	__u64 below;      /* a bit for each function around it; functions may share a bit */
	__u64 goid;
	__u32 func;
	__u32 tid;
	__u32 site; /* of its entry, in sites */
	__u16 held; /* mask of the entry's comparisons that held */
	__u8 kind;
	__u8 state;
	__u8 args; /* it has values in open_args: only if it was not decided at its entry */
	__u8 reserved[7];
};

struct open_args {
	struct args_event event;
	char texts[MAX_OPEN_TEXTS];
};

struct dropped_key {
	__u64 name;
	__u32 func, tgid;
};

/* Calls of a function in a process that were not kept. */
struct dropped_calls {
	__u64 complete;
	__u64 incomplete; /* without a return */
	__u64 sum_ns;     /* of the complete calls */
	__u64 total_ns;   /* without calls inside another call of the function */
	__u64 self_ns;    /* without the calls in them */
	__u64 inside_ns;  /* of dropped calls directly inside this function's kept calls */
};

struct entry_key {
	__u32 tgid, func;
};

/* Decisions for the open calls of a function in a thread, a bit each, from the outermost on:
 * whether the entry was kept. */
struct nested_calls {
	__u64 depth;
	__u64 kept[MAX_NESTED / 64];
};

struct nested_key {
	__u32 tid, func;
};

/* A call of a function, or a span, whose entry was kept under a condition. */
struct kept_key {
	__u64 thread; /* as in struct thread_key; 0 for spans that an argument distinguishes */
	__u64 sp;     /* or that argument */
	__u32 func, tgid;
};

/* A thread that the recorder has pre-empted. */
struct displaced {
	__u64 since_ns; /* CLOCK_MONOTONIC */
	__u64 goid;     /* 0 for none */
	__u32 tgid;
	__u32 cpu;
};

/* The progress of comparing a text with a pattern. */
struct match {
	__u32 at, end; /* in texts */
	__u32 pattern_at;
	__u32 star, tried; /* the last * and how far it reaches */
	__u32 reserved;
};

/* The thread of the current event, and its open deferred calls. */
struct call_context {
	__u64 thread, sp, name;
	__u64 gone_sp;  /* open calls up to this stack pointer are over */
	__u64 duration; /* of the call that returns, or of an open one */
	__u32 tgid, cpu;
	__u32 depth, written; /* as in struct thread_calls */
	__u32 found;          /* depth of the call that returns */
	__u32 at;             /* index of a comparison, or depth of a call */
	__u16 held;           /* as in struct open_call */
	__u32 site;           /* as in struct open_call */
	__u32 keeps;          /* mask of comparisons, see threadend.h */
	__u8 is_found, is_dropped, is_recursive;
	__u8 args; /* of the call that begins or ends: it has values in open_args */
	__u8 reserved[6];
};

/* Memory of a program that is too large for its stack. */
struct scratch {
	__u32 busy;
	__u32 reserved;
	struct call_context context;
	__u64 regs[ALL_REGISTERS];
	struct match match;
	struct args_event event;
	char texts[MAX_TEXTS] __attribute__((aligned(8))); /* follow the event in the ring */
};

#endif
