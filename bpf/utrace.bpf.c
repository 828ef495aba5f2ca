//go:build ignore

// SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0)
/* The probes: each pass over one puts a record into the lane or ring of its CPU. And what
 * follows processes: what happens to tasks goes into a ring of its own. */
#include "event.h"

/* From include/uapi/linux/bpf.h, as far as it is used here. */
enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_RB_NO_WAKEUP = 1 };
enum { BPF_NOEXIST = 1 };
enum { BPF_F_MMAPABLE = 1 << 10 };

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "arch.h"
#include "limit.h"

/* From include/linux/sched.h and sched/signal.h, as far as it is used here: the
 * loader finds the fields in the BTF of the running kernel. */
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
	struct signal_struct *signal;
} __attribute__((preserve_access_index));

/* From include/uapi/linux/bpf.h. */
struct bpf_raw_tracepoint_args {
	__u64 args[0];
};

char LICENSE[] SEC("license") = "GPL";

/* Set before loading. */
const volatile __u32 own_tgid;     /* the recorder itself, never recorded */
const volatile __u8 filter_tgids;  /* only processes in tgids */
const volatile __u32 only_tgid;    /* unless 0: only this process, without a look at tgids */
const volatile __u32 lane_events;  /* room in the lane of each CPU */

/* Nothing is recorded before all probes are attached, nor after the end. */
volatile __u8 enabled;

/* Children that found no room in tgids, and records that found none in tasks. */
volatile __u64 unfollowed, lost_tasks;

/* The events of all but Go code, in a lane for each CPU: memory that the recorder maps, written
 * without a lock or a call. A ring costs three times as much. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* CPUs * lane_events, set before loading */
	__type(key, __u32);
	__type(value, struct event);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* CPUs, set before loading */
	__type(key, __u32);
	__type(value, struct lane);
} lanes SEC(".maps");

/* Larger records. */
struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* set before loading */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1); /* CPUs, set before loading */
	__type(key, __u32);
	__array(values, struct ring);
} rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u8);
} tgids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} tasks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* CPUs, set before loading */
	__type(key, __u32);
	__type(value, struct loss);
} losses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* functions, set before loading */
	__type(key, __u32);
	__type(value, struct func_loss);
} func_losses SEC(".maps");

static __always_inline void count_time(struct loss *loss, __u64 now)
{
	__sync_val_compare_and_swap(&loss->first_ns, 0, now);
	if (now > loss->last_ns)
		loss->last_ns = now;
}

/* Counts an event that found no room. Another thread may interrupt this one
 * on the same CPU, and the recorder takes the counters, so they are atomic. */
static __always_inline void count_loss(__u32 cpu, __u32 func, __u32 kind, __u64 now)
{
	struct loss *loss = bpf_map_lookup_elem(&losses, &cpu);
	struct func_loss *fl = bpf_map_lookup_elem(&func_losses, &func);

	if (!loss)
		return;
	count_time(loss, now);
	if (kind == KIND_RETURN) {
		__sync_fetch_and_add(&loss->returns, 1);
		if (fl)
			__sync_fetch_and_add(&fl->returns, 1);
	} else {
		__sync_fetch_and_add(&loss->entries, 1);
		if (fl)
			__sync_fetch_and_add(&fl->entries, 1);
	}
}

/* Takes a place in the CPU's lane, and says for which lap. 0 if there is no room. Only a thread that
 * interrupts this one can be faster; 16 of them in a row count as no room. */
static __always_inline struct event *new_event(__u32 cpu, __u32 *lap)
{
	struct lane *lane = bpf_map_lookup_elem(&lanes, &cpu);

	if (!lane)
		return 0;
	for (int i = 0; i < 16; i++) {
		__u64 head = *(volatile __u64 *)&lane->head;
		__u32 place = head;
		__u64 next = place + 1 == lane_events ? ((head >> 32) + 1) << 32 : head + 1;

		if (head - *(volatile __u64 *)&lane->tail == 1ULL << 32)
			return 0;
		if (__sync_val_compare_and_swap(&lane->head, head, next) == head) {
			place += cpu * lane_events;
			*lap = LAP(head);
			return bpf_map_lookup_elem(&events, &place);
		}
	}
	return 0;
}

/* Whether events of the process are recorded. */
static __always_inline int recorded(__u32 tgid)
{
	if (only_tgid)
		return tgid == only_tgid;
	return filter_tgids ? bpf_map_lookup_elem(&tgids, &tgid) != 0 : tgid != own_tgid;
}

static __always_inline void fill(struct event *event, __u32 func, __u64 now, __u64 sp, __u64 value, __u64 id)
{
	event->func = func;
	event->time_ns = now;
	event->sp = sp;
	event->value = value;
	event->pid = id >> 32;
	event->tid = id;
}

#include "sched.h"
#include "stack.h"

static __always_inline int record(struct pt_regs *regs, __u32 func, __u32 kind, __u64 sp, __u64 value)
{
	__u64 id = bpf_get_current_pid_tgid(), now;
	__u32 cpu, lap;
	struct event *event;

	if (!recorded(id >> 32))
		return 0;
	if (stacks && (kind == KIND_ENTRY || kind == KIND_TAIL_ENTRY))
		value = stack_of(regs); /* ahead of the call's time */
	now = bpf_ktime_get_ns();
	if (limited && !count_hit(id >> 32, func, kind))
		return 0;
	see(id);
	cpu = bpf_get_smp_processor_id();
	event = new_event(cpu, &lap);
	if (!event) {
		count_loss(cpu, func, kind, now);
		return 0;
	}
	fill(event, func, now, sp, value, id);
	publish(&event->kind, lap | kind);
	return 0;
}

static __always_inline int record_go(struct pt_regs *regs, __u32 func, __u32 kind, __u64 sp, __u64 value, __u64 goid)
{
	__u64 id = bpf_get_current_pid_tgid(), now;
	__u32 cpu;
	struct go_event *go = 0;
	void *ring;

	if (!recorded(id >> 32))
		return 0;
	if (stacks && (kind == KIND_ENTRY || kind == KIND_TAIL_ENTRY))
		value = stack_of(regs); /* ahead of the call's time */
	now = bpf_ktime_get_ns();
	if (limited && !count_hit(id >> 32, func, kind))
		return 0;
	cpu = bpf_get_smp_processor_id();
	ring = bpf_map_lookup_elem(&rings, &cpu);
	if (ring)
		go = bpf_ringbuf_reserve(ring, sizeof(*go), 0);
	if (!go) {
		count_loss(cpu, func, kind, now);
		return 0;
	}
	fill(&go->event, func, now, sp, value, id);
	go->event.kind = kind;
	go->goid = goid;
	bpf_ringbuf_submit(go, BPF_RB_NO_WAKEUP);
	return 0;
}

/* The goroutine whose stack sp is on, and sp's distance from the top of it in *below;
 * 0 on any other stack. The register may hold anything in code that is not
 * Go's own; that sp lies in the stack tells. struct g begins with stack.lo, stack.hi
 * (runtime/runtime2.go). */
static __always_inline __u64 goroutine(struct pt_regs *regs, __u32 goid_offset, __u64 *below)
{
	__u64 g = REGS_G(regs), sp = REGS_SP(regs), goid = 0;
	struct {
		__u64 lo, hi;
	} stack;

	if (bpf_probe_read_user(&stack, sizeof(stack), (void *)g) || sp <= stack.lo || sp > stack.hi)
		return 0;
	if (bpf_probe_read_user(&goid, sizeof(goid), (void *)(g + goid_offset)))
		return 0;
	*below = stack.hi - sp;
	return goid;
}

#include "displaced.h"

/* How a function is entered. A caller that jumped there has left its own return address, which
 * its return probe has replaced by that of the kernel's trampoline: the first byte of a page (xol_area in kernel/events/uprobes.c).
 * One call in 4,096 returns to such a byte, too. The trampoline cannot be read before a thread has first run it. */
static __always_inline __u32 entry_kind(struct pt_regs *regs)
{
	__u64 address = return_address(regs);
	__u32 code;

	if (address & 4095)
		return KIND_ENTRY;
	if (bpf_probe_read_user(&code, sizeof(code), (void *)address))
		return KIND_TAIL_ENTRY;
	return is_trampoline(code) ? KIND_TAIL_ENTRY : KIND_ENTRY;
}

/* A function's entry, one of its return instructions, or any instruction. */
SEC("uprobe.multi")
int on_instruction(struct pt_regs *regs)
{
	__u64 cookie, value = 0, sp, goid = 0;
	__u32 kind;

	if (!enabled)
		return 0;
	cookie = bpf_get_attach_cookie(regs);
	kind = COOKIE_KIND(cookie);
	sp = REGS_SP(regs);
	if (kind == KIND_ENTRY) {
		kind = entry_kind(regs);
	} else if (kind == KIND_RETURN) {
		value = REGS_RESULT(regs);
	}
	if (COOKIE_GOID(cookie))
		goid = goroutine(regs, COOKIE_GOID(cookie), &sp);
	if (goid)
		return record_go(regs, cookie, kind, sp, value, goid);
	return record(regs, cookie, kind, sp, value);
}

/* A function's return, by way of the trampoline. */
SEC("uretprobe.multi")
int on_return(struct pt_regs *regs)
{
	if (!enabled)
		return 0;
	return record(regs, bpf_get_attach_cookie(regs), KIND_RETURN, REGS_SP(regs) - RETURN_POPS, REGS_RESULT(regs));
}

#include "site.h"

static __always_inline struct task *new_task(__u32 kind, __u64 id, __u32 other)
{
	struct task *rec = bpf_ringbuf_reserve(&tasks, sizeof(*rec), 0);

	if (!rec) {
		__sync_fetch_and_add(&lost_tasks, 1);
		return 0;
	}
	rec->kind = kind;
	rec->other = other;
	rec->time_ns = bpf_ktime_get_ns();
	rec->pid = id >> 32;
	rec->tid = id;
	return rec;
}

/* Called by the parent before the child can run (kernel_clone in
 * kernel/fork.c), so that not one call of the child is missed.
 * Arguments: parent, child. */
SEC("raw_tp/sched_process_fork")
int on_fork(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *child = (void *)ctx->args[1];
	__u32 parent = bpf_get_current_pid_tgid() >> 32;
	__u32 tgid = BPF_CORE_READ(child, tgid);
	struct task *rec;
	__u8 one = 1;

	if (tgid == parent || !recorded(parent)) /* a thread, or nobody's child */
		return 0;
	if (bpf_map_update_elem(&tgids, &tgid, &one, BPF_NOEXIST)) {
		__sync_fetch_and_add(&unfollowed, 1);
		return 0;
	}
	rec = new_task(TASK_FORK, (__u64)tgid << 32 | tgid, parent);
	if (!rec)
		return 0;
	BPF_CORE_READ_INTO(&rec->comm, child, comm);
	bpf_ringbuf_submit(rec, BPF_RB_NO_WAKEUP);
	return 0;
}

/* Called when the new program is in place and named, before it runs
 * (exec_binprm in fs/exec.c). Arguments: task, its former thread ID, bprm. */
SEC("raw_tp/sched_process_exec")
int on_exec(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct task *rec;

	unsee(id);
	unsee(ctx->args[1]);
	if (!recorded(id >> 32))
		return 0;
	end_life(id >> 32);
	rec = new_task(TASK_EXEC, id, ctx->args[1]);
	if (!rec)
		return 0;
	bpf_get_current_comm(&rec->comm, sizeof(rec->comm));
	bpf_ringbuf_submit(rec, BPF_RB_NO_WAKEUP);
	return 0;
}

/* Called by each thread, when it is past its last instruction, and has been
 * taken off signal->live (do_exit in kernel/exit.c). Argument: task. Two
 * threads that exit at once may both find themselves the last. */
SEC("raw_tp/sched_process_exit")
int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = id >> 32, kind = TASK_THREAD_EXIT;
	struct task *rec;

	unsee(id);
	if (!recorded(tgid))
		return 0;
	if (BPF_CORE_READ(task, signal, live.counter) == 0) {
		kind = TASK_PROCESS_EXIT;
		end_life(tgid);
		bpf_map_delete_elem(&tgids, &tgid);
	}
	rec = new_task(kind, id, 0);
	if (!rec)
		return 0;
	bpf_get_current_comm(&rec->comm, sizeof(rec->comm));
	bpf_ringbuf_submit(rec, BPF_RB_NO_WAKEUP);
	return 0;
}
