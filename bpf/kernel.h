/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* What the programs use of the kernel's own headers. The probes use no kernel type but the
 * registers. The other programs use a few fields, which the loader finds in the BTF of the running
 * kernel. So no header is generated from that BTF (vmlinux). */
#ifndef UTRACE_KERNEL_H
#define UTRACE_KERNEL_H

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

/* From include/uapi/linux/bpf.h. */
enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum { BPF_NOEXIST = 1 };
enum { BPF_F_MMAPABLE = 1 << 10 };

struct bpf_raw_tracepoint_args {
	__u64 args[0];
};

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/* From kernel/trace/bpf_trace.c: whether a session's program runs at the return. */
extern _Bool bpf_session_is_return(void) __ksym;

/* From include/linux/sched.h and include/linux/sched/signal.h. */
struct signal_struct {
	struct {
		int counter;
	} live; /* threads that have not begun to exit */
} __attribute__((preserve_access_index));

struct task_struct {
	unsigned int __state; /* since Linux 5.14 */
	unsigned int flags;
	void *stack;
	int pid;
	int tgid;
	char comm[16];
	int exit_code; /* of wait(2): the low 7 bits are the signal that killed it */
	struct signal_struct *signal;
} __attribute__((preserve_access_index));

enum {
	PF_KTHREAD = 0x00200000, /* include/linux/sched.h; the idle task has it as well */
	MAX_TIDS = 1 << 22,      /* PID_MAX_LIMIT of include/linux/threads.h */
};

/* Keeps the compiler from using another value than the one that was just checked. */
#define USE_AS_IS(v) asm volatile("" : "+r"(v))

#endif
