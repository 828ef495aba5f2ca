/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* All maps and variables. "Sized at load" is a map whose max_entries the recorder sets. */
#ifndef UTRACE_MAPS_H
#define UTRACE_MAPS_H

#include "types.h"

/* Set before loading: unused features are dead code for the verifier. */
const volatile __u32 own_tgid;     /* the recorder, which is never recorded */
const volatile __u8 filter_tgids;  /* record only processes in tgids */
const volatile __u32 only_tgid;    /* unless 0: record only this process, without a look at tgids */
const volatile __u32 lane_events;  /* slots in the lane of each CPU */
const volatile __u8 limited;       /* count hits */
const volatile __u8 stacks;        /* record stacks of callers */
const volatile __u8 sched;         /* record switches of threads */
const volatile __u8 defer_calls;   /* some sites are SITE_DEFERRED */
const volatile __u8 watches_ends;  /* on_exit_calls removes the calls of threads that end */
const volatile __u8 may_fault;     /* on_site may sleep, and so bring a page into memory */
const volatile __u32 tls_offset;   /* of REGISTER_TLS in struct task_struct; 0: unknown */
const volatile __u64 name_seed;    /* random, see name.h */
const volatile __u64 stack_seed;   /* random, see stack.h */
const volatile __u8 task_regs;     /* the kernel has BTF, so it shows a task's user registers */

/* Set while recording. */
volatile __u8 enabled;          /* all probes are attached, and the recording is not over */
volatile __u8 sampling;         /* take samples, whether or not enabled */
volatile __u32 calibrator_tgid; /* the process that measures the probe cost; 0 for none */
volatile __u32 holder_tgid;     /* the process that makes and holds the probes; 0 for none */
volatile __u32 displaced_goid;  /* offset of goid in struct g of recorded Go programs; 0: none */
volatile __u8 report_forks;     /* with every process recorded: report all forks */
volatile __u8 report_execs;     /* report the execs of processes that are not recorded */

/* Counted by the programs. */
volatile __u64 unfollowed;      /* children that found no room in tgids */
volatile __u64 lost_tasks;      /* records that found no room in tasks */
volatile __u64 lost_arrivals;   /* records that found no room in arrivals */
volatile __u64 uncounted_hits;  /* hits that found no room in process_uses */
volatile __u64 uncounted_drops; /* calls that found no room in dropped_calls */
volatile __u64 lost_samples;    /* samples that found no room */
volatile __u64 unplaced_samples; /* samples in the kernel, without task_regs */
volatile __u64 displaced_count; /* entries of displaced_threads */

/* Events of all but Go code, in a lane for each CPU: memory that the recorder maps, written without
 * a lock or a helper call. A ring costs three times as much. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* sized at load: CPUs * lane_events */
	__type(key, __u32);
	__type(value, struct event);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* sized at load: CPUs */
	__type(key, __u32);
	__type(value, struct lane);
} lanes SEC(".maps");

/* Records of other sizes, a ring for each CPU. */
struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* sized at load */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1); /* sized at load: CPUs */
	__type(key, __u32);
	__array(values, struct ring);
} rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} tasks SEC(".maps");

/* The same records of processes, for a reader that cannot wait for the next round of draining: a
 * process may run without probes meanwhile. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} arrivals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* sized at load: CPUs */
	__type(key, __u32);
	__type(value, struct loss);
} losses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* sized at load: functions */
	__type(key, __u32);
	__type(value, struct func_loss);
} func_losses SEC(".maps");

/* The recorded processes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u8);
} tgids SEC(".maps");

/* By function: see struct func_limit. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* sized at load: functions */
	__type(key, __u32);
	__type(value, struct func_limit);
} func_limits SEC(".maps");

/* By process. The recorder makes the value of a process whose calls on sockets are to count. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1); /* sized at load */
	__type(key, __u32);
	__type(value, struct process_use);
} process_uses SEC(".maps");

/* The stacks that were sent to the recorder. A stack that is evicted is sent again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 64); /* sized at load */
	__type(key, __u64);
	__type(value, __u8);
} sent_stacks SEC(".maps");

/* How often a process has ended or executed another program, by the lower half of its ID. It is
 * mixed into the number of a stack: a program, or a process that reuses an ID, sends its stacks
 * anew. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* sized at load: GENERATIONS with stacks or samples */
	__type(key, __u32);
	__type(value, __u64);
} generations SEC(".maps");

/* A bit for each thread ID: whether the thread has had an event. Other threads are not looked at: a
 * switch between two of them costs two loads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_TIDS / 64); /* 1 without sched, sized at load */
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

/* By thread ID: at most one thread for each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* sized at load: CPUs */
	__type(key, __u32);
	__type(value, struct displaced);
} displaced_threads SEC(".maps");

/* The thread that the recorder has pre-empted on this CPU, 0 for none. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} displaced_here SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* sized at load */
	__type(key, __u32);
	__type(value, struct site);
} sites SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SCRATCHES_PER_CPU); /* for each CPU, sized at load */
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* The names that were sent to the recorder. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u8);
} sent_names SEC(".maps");

/* The address at which a function's entry was probed last, in each process. A return does not show
 * where the file is mapped. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct entry_key);
	__type(value, __u64);
} entry_addresses SEC(".maps");

/* Hits of a function, or span, that did not meet a condition. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1); /* sized at load: functions */
	__type(key, __u32);
	__type(value, struct func_loss);
} unmet SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct nested_key);
	__type(value, struct nested_calls);
} nested_calls SEC(".maps");

/* The value of a new entry of nested_calls: too large for a program's stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nested_calls);
} no_nested_calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct kept_key);
	__type(value, __u32); /* how many calls have this key: a function can jump to itself */
} kept_calls SEC(".maps");

/* Threads and goroutines with open deferred calls. A thread without open calls keeps its entry
 * until it ends, where ends are watched: it usually has calls again. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct thread_key);
	__type(value, struct thread_calls);
} thread_calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_OPEN_CALLS);
	__type(key, struct call_key);
	__type(value, struct open_call);
} open_calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct call_key);
	__type(value, struct open_args);
} open_args SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct dropped_key);
	__type(value, struct dropped_calls);
} dropped_calls SEC(".maps");

#endif
