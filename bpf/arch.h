/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* Registers at a probe, by architecture. Layouts are those of the kernel's
 * arch/x86/include/uapi/asm/ptrace.h and arch/arm64/include/uapi/asm/ptrace.h. */
#ifndef UTRACE_ARCH_H
#define UTRACE_ARCH_H

#if defined(__TARGET_ARCH_x86)

struct pt_regs {
	__u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	__u64 orig_ax, ip, cs, flags, sp, ss;
};

#define REGS_SP(regs) ((regs)->sp)
#define REGS_IP(regs) ((regs)->ip)
#define REGS_RESULT(regs) ((regs)->ax)
#define REGS_FP(regs) ((regs)->bp)
/* Where Go keeps its goroutine (ABIInternal, since 1.17). */
#define REGS_G(regs) ((regs)->r14)
/* A kernel stack is not larger, and no other begins so close above it (THREAD_SIZE, THREAD_ALIGN). */
#define MAX_STACK (32 << 10)
/* Whether the task came into the kernel by an interrupt or exception, not by a system call
 * (arch/x86/entry/entry_64.S). Needed where interrupts of user code run on the stack of the task. */
#define USER_INTERRUPTED(regs) ((__s64)(regs)->orig_ax == -1)
/* A return has taken the return address off the stack. */
#define RETURN_POPS 8

static __always_inline __u64 return_address(struct pt_regs *regs)
{
	__u64 addr = 1;

	bpf_probe_read_user(&addr, sizeof(addr), (void *)regs->sp);
	return addr;
}

/* Whether code that begins so is the kernel's trampoline for return probes (arch_uretprobe_trampoline in arch/x86/kernel/uprobes.c):
 * int3, or since Linux 6.11 push %rax, push %rcx, push %r11, and a system call. */
static __always_inline int is_trampoline(__u32 code)
{
	return (code & 0xff) == 0xcc || code == 0x53415150;
}

/* Stores value when all that was stored before can be seen: x86 keeps the order of stores. */
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
#define REGS_G(regs) ((regs)->regs[28])
#define MAX_STACK (64 << 10)
#define USER_INTERRUPTED(regs) 0
#define RETURN_POPS 0

static __always_inline __u64 return_address(struct pt_regs *regs)
{
	return regs->regs[30];
}

/* brk #5 (UPROBES_BRK_IMM in arch/arm64/include/asm/brk-imm.h). */
static __always_inline int is_trampoline(__u32 code)
{
	return code == 0xd42000a0;
}

static __always_inline void publish(__u32 *to, __u32 value)
{
	__sync_lock_test_and_set(to, value); /* in BPF a full barrier */
}

#else
#error "unknown architecture"
#endif

#endif
