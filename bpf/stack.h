/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* The stack of callers at a function's entry, by frame pointers. Included by utrace.bpf.c. */
#ifndef UTRACE_STACK_H
#define UTRACE_STACK_H

enum { MAX_FRAMES = 127 };

/* The first time that a process has a stack: in a ring, ahead of the event that has it. */
struct stack_event {
	__u32 kind; /* KIND_STACK */
	__u32 frames;
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 stack;   /* what stands for it in the events of the process */
	__u32 pid;     /* in the first PID namespace, as is tid */
	__u32 tid;
	__u64 returns_to[MAX_FRAMES]; /* return addresses, the innermost first */
};

_Static_assert(sizeof(struct stack_event) == 32 + 8 * MAX_FRAMES, "read by stack.go");

/* Set before loading. */
const volatile __u8 stacks;
const volatile __u64 stack_seed;

/* The stacks that have been told. One that is forgotten is told again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 64); /* set before loading */
	__type(key, __u64);
	__type(value, __u8);
} told_stacks SEC(".maps");

enum { LIVES = 65536 };

/* How often a process has ended or executed another program, by the lower half of its ID: one that begins anew, or has the ID of an
 * earlier one, has its stacks told anew. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* LIVES where there are stacks, set before loading */
	__type(key, __u32);
	__type(value, __u64);
} lives SEC(".maps");

static __always_inline __u64 *life_of(__u32 tgid)
{
	__u32 at = tgid % LIVES;

	return bpf_map_lookup_elem(&lives, &at);
}

/* The stacks that a process has told are another's from now on. */
static __always_inline void end_life(__u32 tgid)
{
	__u64 *life;

	if (!stacks)
		return;
	life = life_of(tgid);
	if (life)
		__sync_fetch_and_add(life, 1);
}

/* What a frame pointer points to, on x86 and arm64. */
struct frame {
	__u64 outer; /* frame pointer of the caller */
	__u64 returns_to;
};

/* Goes from one frame to the next one and mixes the return addresses into a hash: what stands for
 * the stack. It puts them into to, unless that is 0. The kernel's own walk (bpf_get_stack) leaves out the direct caller at an
 * entry, or does not, by its version and the instruction there. */
__attribute__((noinline)) __u64 walk_stack(__u64 returns_to, __u64 frame, __u64 hash, struct stack_event *to)
{
	struct frame f = {.outer = frame, .returns_to = returns_to};
	__u32 n = 0;

	for (__u32 i = 0; i < MAX_FRAMES; i++) {
		__u64 at = f.outer;
		struct stack_event *e = to;

		asm volatile("" : "+r"(e)); /* the compiler must not go ahead of the comparison with 0 */
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

/* What stands for the stack of callers at the entry of a function: a hash of the return addresses, mixed with the process, its life and
 * with a secret of the recording. The first time the stack itself is sent, too; what finds no room is sent the next time. */
static __always_inline __u64 stack_of(struct pt_regs *regs)
{
	__u64 id = bpf_get_current_pid_tgid(), caller = return_address(regs), frame = REGS_FP(regs);
	__u64 seed = stack_seed ^ (id >> 32), stack, *life = life_of(id >> 32);
	__u32 cpu = bpf_get_smp_processor_id();
	struct stack_event *e;
	__u8 told = 1;
	void *ring;

	if (life)
		seed ^= *life << 32;
	stack = walk_stack(caller, frame, seed, 0);
	if (bpf_map_lookup_elem(&told_stacks, &stack))
		return stack;
	ring = bpf_map_lookup_elem(&rings, &cpu);
	if (!ring)
		return 0;
	e = bpf_ringbuf_reserve(ring, sizeof(*e), 0);
	if (!e)
		return stack;
	e->kind = KIND_STACK;
	e->time_ns = bpf_ktime_get_ns();
	e->stack = stack;
	e->pid = id >> 32;
	e->tid = id;
	if (walk_stack(caller, frame, seed, e) != stack) { /* another thread has written there */
		bpf_ringbuf_discard(e, BPF_RB_NO_WAKEUP);
		return 0;
	}
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	bpf_map_update_elem(&told_stacks, &stack, &told, 0);
	return stack;
}

#endif
