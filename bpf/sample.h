/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* Samples: where a recorded thread is when the clock of its CPU ticks. The program runs in a timer
 * interrupt. A thread that is in the kernel, in a system call for example, is where it entered. */
#ifndef UTRACE_SAMPLE_H
#define UTRACE_SAMPLE_H

#include "lane.h"
#include "process.h"
#include "stack.h"

/* Where the interrupted thread is in user code. */
struct place {
	__u64 ip, frame; /* instruction, and frame pointer */
	__u64 leaf_returns_to; /* see struct stack_event */
};

static __always_inline void set_place(struct place *place, struct pt_regs *regs)
{
	__u64 returns_to = return_address(regs);

	place->ip = REGS_IP(regs);
	place->frame = REGS_FP(regs);
	place->leaf_returns_to = follows_call(returns_to) ? returns_to : 0;
}

/* Finds the place of the current thread, which was interrupted in the kernel. Kernel threads and
 * those of io_uring have none. */
static __always_inline struct place place_in_kernel(void)
{
	struct pt_regs entered_with, *regs = &entered_with;
	struct place place = {};

	if (bpf_probe_read_kernel(regs, sizeof(*regs), (void *)bpf_task_pt_regs(bpf_get_current_task_btf())))
		return place;
	if (IN_USER_MODE(regs))
		set_place(&place, regs);
	return place;
}

/* The context begins with the interrupted registers (struct bpf_perf_event_data of
 * include/uapi/linux/bpf_perf_event.h). */
SEC("perf_event")
int on_sample(struct pt_regs *regs)
{
	__u64 id = bpf_get_current_pid_tgid(), now, stack;
	__u32 tgid = id >> 32, cpu = bpf_get_smp_processor_id(), lap;
	struct place place = {};
	struct event *event;

	if (!sampling || !tgid || is_ours(tgid) || !is_recorded(tgid))
		return 0;
	if (IN_USER_MODE(regs))
		set_place(&place, regs);
	else if (task_regs)
		place = place_in_kernel();
	else
		__sync_fetch_and_add(&unplaced_samples, 1);
	if (!place.ip)
		return 0;
	now = bpf_ktime_get_ns();
	stack = number_stack(place.ip + 1, place.leaf_returns_to, place.frame, KIND_STACK | KIND_SAMPLE);
	event = new_event(cpu, &lap);
	if (!event) {
		__sync_fetch_and_add(&lost_samples, 1);
		return 0;
	}
	fill_event(event, 0, now, 0, stack, id);
	publish(&event->kind, lap | KIND_SAMPLE);
	return 0;
}

#endif
