/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* The architecture: registers at a probe, and what depends on the processor. Layouts are those of
 * the kernel's arch/x86/include/uapi/asm/ptrace.h and arch/arm64/include/uapi/asm/ptrace.h. */
#ifndef UTRACE_ARCH_H
#define UTRACE_ARCH_H

#include "kernel.h"

#if defined(__TARGET_ARCH_x86)

struct pt_regs {
	__u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	__u64 orig_ax, ip, cs, flags, sp, ss;
};

#define REGS_SP(regs) ((regs)->sp)
#define REGS_IP(regs) ((regs)->ip)
#define REGS_RESULT(regs) ((regs)->ax)
#define REGS_FP(regs) ((regs)->bp)
#define IN_USER_MODE(regs) (((regs)->cs & 3) == 3)

/* The register of Go's goroutine (ABIInternal, since Go 1.17). */
#define REGS_G(regs) ((regs)->r14)
#define REGS_GO_ARG(regs) ((regs)->ax) /* first argument */

/* No kernel stack is larger, and no other stack begins so close above it (THREAD_SIZE,
 * THREAD_ALIGN). */
#define MAX_KERNEL_STACK (32 << 10)

/* Whether the task entered the kernel by an interrupt or exception, not by a system call
 * (arch/x86/entry/entry_64.S). Needed where interrupts of user code run on the task's own stack. */
#define USER_INTERRUPTED(regs) ((__s64)(regs)->orig_ax == -1)

/* Whether the task, which entered the kernel by a system call, writes or sends there, or closes a
 * connection (arch/x86/entry/syscalls/syscall_64.tbl). */
static __always_inline int is_sending(struct pt_regs *regs)
{
	switch (regs->orig_ax) {
	case 1:   /* write */
	case 3:   /* close */
	case 20:  /* writev */
	case 40:  /* sendfile */
	case 42:  /* connect */
	case 44:  /* sendto */
	case 46:  /* sendmsg */
	case 48:  /* shutdown */
	case 275: /* splice */
	case 307: /* sendmmsg */
		return 1;
	}
	return 0;
}

/* Whether the task, which entered the kernel by a system call, sleeps for a time there. */
static __always_inline int is_sleeping(struct pt_regs *regs)
{
	return regs->orig_ax == 35 || regs->orig_ax == 230; /* nanosleep, clock_nanosleep */
}

/* Bytes by which a return instruction raises the stack pointer: it pops the return address. */
#define RETURN_POPS 8

static __always_inline __u64 return_address(struct pt_regs *regs)
{
	__u64 addr = 1;

	bpf_probe_read_user(&addr, sizeof(addr), (void *)regs->sp);
	return addr;
}

/* Whether a word of the stack can be a return address: a call instruction seems to end there. */
static __always_inline int follows_call(__u64 addr)
{
	__u8 code[8]; /* ahead of it: E8 and four bytes, or FF /2 in 2, 3, 4, 6 or 7 bytes */

	if (bpf_probe_read_user(code, sizeof(code), (void *)(addr - sizeof(code))))
		return 0;
	return code[3] == 0xe8 || code[6] == 0xff || code[5] == 0xff || code[4] == 0xff || code[2] == 0xff || code[1] == 0xff;
}

/* Whether code begins like the kernel's trampoline for return probes (arch_uretprobe_trampoline in
 * arch/x86/kernel/uprobes.c): int3, or since Linux 6.11 push %rax, push %rcx, push %r11, and a
 * system call. */
static __always_inline int is_trampoline(__u32 code)
{
	return (code & 0xff) == 0xcc || code == 0x53415150;
}

/* Stores value after all earlier stores are visible: x86 keeps the order of stores. */
static __always_inline void publish(__u32 *to, __u32 value)
{
	__asm__ __volatile__("" ::: "memory");
	*(volatile __u32 *)to = value;
}

#elif defined(__TARGET_ARCH_arm64)

struct pt_regs {
	__u64 regs[31];
	__u64 sp, pc, pstate;
};

#define REGS_SP(regs) ((regs)->sp)
#define REGS_IP(regs) ((regs)->pc)
#define REGS_RESULT(regs) ((regs)->regs[0])
#define REGS_FP(regs) ((regs)->regs[29])
#define IN_USER_MODE(regs) (((regs)->pstate & 0xf) == 0) /* PSR_MODE_MASK, PSR_MODE_EL0t */
#define REGS_G(regs) ((regs)->regs[28])
#define REGS_GO_ARG(regs) ((regs)->regs[0])
#define MAX_KERNEL_STACK (64 << 10)
#define USER_INTERRUPTED(regs) 0

/* Not known: the number of the system call is where only the kernel's own struct has it. */
static __always_inline int is_sending(struct pt_regs *regs)
{
	return 0;
}

static __always_inline int is_sleeping(struct pt_regs *regs)
{
	return 0;
}

#define RETURN_POPS 0

static __always_inline __u64 return_address(struct pt_regs *regs)
{
	return regs->regs[30];
}

/* What is in the link register always is a return address. */
static __always_inline int follows_call(__u64 addr)
{
	return 1;
}

/* brk #5 (UPROBES_BRK_IMM in arch/arm64/include/asm/brk-imm.h). */
static __always_inline int is_trampoline(__u32 code)
{
	return code == 0xd42000a0;
}

static __always_inline void publish(__u32 *to, __u32 value)
{
	__sync_lock_test_and_set(to, value); /* a full barrier in BPF */
}

#else
#error "unknown architecture"
#endif

#endif
