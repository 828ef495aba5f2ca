/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* Stacks by frame pointers: of callers at a function's entry, and of samples. The number of a stack
 * is a hash of its return addresses, the process and its generation, mixed with a secret of the
 * recording. */
#ifndef UTRACE_STACK_H
#define UTRACE_STACK_H

#include "maps.h"

static __always_inline __u64 *generation_of(__u32 tgid)
{
	__u32 at = tgid % GENERATIONS;

	return bpf_map_lookup_elem(&generations, &at);
}

/* Begins a new generation: the stacks that the process has sent are not its own any more. */
static __always_inline void begin_generation(__u32 tgid)
{
	__u64 *generation = generation_of(tgid); /* without stacks there is room for a single one */

	if (generation)
		__sync_fetch_and_add(generation, 1);
}

/* What a frame pointer points to, on x86 and arm64. */
struct frame {
	__u64 outer; /* frame pointer of the caller */
	__u64 returns_to;
};

/* Goes from frame to frame, returns the hash, and puts the return addresses into to if that is set.
 * The kernel's own walk (bpf_get_stack) may leave out the direct caller at an entry: that depends
 * on the kernel's version and the probed instruction. */
__attribute__((noinline)) __u64 walk_stack(__u64 returns_to, __u64 frame, __u64 hash, struct stack_event *to)
{
	struct frame f = {.outer = frame, .returns_to = returns_to};
	__u32 n = 0;

	for (__u32 i = 0; i < MAX_FRAMES; i++) {
		__u64 at = f.outer;
		struct stack_event *e = to;

		asm volatile("" : "+r"(e)); /* keeps the comparison with 0 first */
		if (e)
			e->returns_to[i] = f.returns_to;
		n = i + 1;
		hash = (hash ^ f.returns_to) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
		hash = (hash ^ stack_seed) * 0xd6e8feb86659fd93ULL;
		hash ^= hash >> 29;
		if (at == 0 || at & 7)
			break;
		if (bpf_probe_read_user(&f, sizeof(f), (void *)at) || f.returns_to == 0)
			break;
		if (f.outer <= at) /* callers lie above */
			f.outer = 0;
	}
	if (to)
		to->frames = n;
	return hash ? hash : 1;
}

/* The number of a stack. A stack that was not sent yet is sent as well, as a record of the kind; if
 * it finds no room, it is sent the next time. */
static __always_inline __u64 number_stack(__u64 innermost, __u64 leaf_returns_to, __u64 frame, __u32 kind)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u64 seed = stack_seed ^ (id >> 32) ^ leaf_returns_to, stack, *generation = generation_of(id >> 32);
	__u32 cpu = bpf_get_smp_processor_id();
	struct stack_event *e;
	__u8 sent = 1;
	void *ring;

	if (generation)
		seed ^= *generation << 32;
	stack = walk_stack(innermost, frame, seed, 0);
	if (bpf_map_lookup_elem(&sent_stacks, &stack))
		return stack;
	ring = bpf_map_lookup_elem(&rings, &cpu);
	if (!ring)
		return 0;
	e = bpf_ringbuf_reserve(ring, sizeof(*e), 0);
	if (!e)
		return stack;
	e->kind = kind;
	e->time_ns = bpf_ktime_get_ns();
	e->stack = stack;
	e->pid = id >> 32;
	e->tid = id;
	e->leaf_returns_to = leaf_returns_to;
	if (walk_stack(innermost, frame, seed, e) != stack) { /* another thread has written there */
		bpf_ringbuf_discard(e, BPF_RB_NO_WAKEUP);
		return 0;
	}
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	bpf_map_update_elem(&sent_stacks, &stack, &sent, 0);
	return stack;
}

/* The number of the stack of callers at the entry of a function. */
static __always_inline __u64 stack_of(struct pt_regs *regs)
{
	return number_stack(return_address(regs), 0, REGS_FP(regs), KIND_STACK);
}

#endif
