/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* Switches of traced threads: when they run, wait for a CPU, or are blocked. The programs are
 * loaded only where that is recorded. */
#ifndef UTRACE_SCHED_H
#define UTRACE_SCHED_H

#include "lane.h"
#include "loss.h"

/* Has the switches of a thread recorded from now on. */
static __always_inline void mark_seen(__u32 tid)
{
	__u32 at = tid / 64;
	__u64 bit = 1ULL << (tid & 63), *word;

	if (!sched)
		return;
	word = bpf_map_lookup_elem(&seen, &at);
	if (word && !(*word & bit))
		__sync_fetch_and_or(word, bit);
}

/* Undoes mark_seen: the thread ends, or executes another program. */
static __always_inline void clear_seen(__u32 tid)
{
	__u32 at = tid / 64;
	__u64 *word;

	if (!sched)
		return;
	word = bpf_map_lookup_elem(&seen, &at);
	if (word)
		__sync_fetch_and_and(word, ~(1ULL << (tid & 63)));
}

static __always_inline int is_seen(__u32 tid)
{
	__u32 at = tid / 64;
	__u64 *word = bpf_map_lookup_elem(&seen, &at);

	return word && *word >> (tid & 63) & 1;
}

/* id: tgid and tid. */
static __always_inline void record_sched(__u64 id, __u32 kind, __u64 now, __u64 value)
{
	__u32 cpu = bpf_get_smp_processor_id(), lap;
	struct event *event = new_event(cpu, &lap);

	if (!event) {
		count_sched_loss(cpu, now);
		return;
	}
	fill_event(event, 0, now, 0, value, id);
	publish(&event->kind, lap | kind);
}

static __always_inline __u64 id_of(struct task_struct *task)
{
	return (__u64)task->tgid << 32 | (__u32)task->pid;
}

/* Arguments: whether prev was pre-empted, prev, next. Newer kernels add prev_state, which is not
 * used: it is the state that prev asked for, and with a signal pending prev stays runnable. */
SEC("tp_btf/sched_switch")
int on_switch(__u64 *args)
{
	struct task_struct *prev = (void *)args[1], *next = (void *)args[2];
	int preempted = args[0], out, in;
	__u64 now;

	if (!enabled)
		return 0;
	out = is_seen(prev->pid);
	in = is_seen(next->pid);
	if (!out && !in)
		return 0;
	now = bpf_ktime_get_ns();
	if (out)
		record_sched(id_of(prev), KIND_SCHED_OUT, now, preempted ? 0 : prev->__state);
	if (in)
		record_sched(id_of(next), KIND_SCHED_IN, now, 0);
	return 0;
}

/* Whether an interrupt runs, not the task itself. Interrupts have a stack of their own, except on
 * x86 those of user code. The verifier refuses a sum of pointers, but allows the difference of
 * two. */
static __always_inline int in_interrupt(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 stack = (__u64)task->stack, at;

	if (USER_INTERRUPTED((struct pt_regs *)bpf_task_pt_regs(task)))
		return 1;
	asm volatile("%0 = r10; %0 -= %1" : "=&r"(at) : "r"(task));
	return at + bpf_get_current_task() - stack >= MAX_KERNEL_STACK;
}

/* Called by the waker, before the task can run. The task may not have left its CPU yet. Argument:
 * the task. */
SEC("tp_btf/sched_waking")
int on_waking(__u64 *args)
{
	struct task_struct *task = (void *)args[0];
	__u64 waker;

	if (!enabled || !is_seen(task->pid))
		return 0;
	waker = (__u32)bpf_get_current_pid_tgid();
	if (in_interrupt()) {
		waker |= WAKEUP_IN_INTERRUPT;
		if (is_sending((struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf())))
			waker |= WAKEUP_SENT;
		if (is_sleeping((struct pt_regs *)bpf_task_pt_regs(task)))
			waker |= WAKEUP_SLEPT;
	}
	record_sched(id_of(task), KIND_WAKEUP, bpf_ktime_get_ns(), waker);
	return 0;
}

#endif
