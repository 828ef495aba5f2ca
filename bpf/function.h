/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* Functions without arguments, results or conditions, and single instructions: each execution of a
 * probe puts a record into the lane of its CPU, or, of Go code, into the ring. */
#ifndef UTRACE_FUNCTION_H
#define UTRACE_FUNCTION_H

#include "entry.h"
#include "handoff.h"
#include "limit.h"
#include "process.h"
#include "sched.h"
#include "stack.h"

static __always_inline int record(struct pt_regs *regs, __u32 func, __u32 kind, __u64 sp, __u64 value)
{
	__u64 id = bpf_get_current_pid_tgid(), now;
	__u32 cpu, lap;
	struct event *event;

	if (!is_recorded(id >> 32))
		return 0;
	if (stacks && (kind == KIND_ENTRY || kind == KIND_TAIL_ENTRY))
		value = stack_of(regs); /* ahead of the call's time */
	now = bpf_ktime_get_ns();
	if (limited && !count_hit(id >> 32, func, kind))
		return 0;
	mark_seen(id);

	cpu = bpf_get_smp_processor_id();
	event = new_event(cpu, &lap);
	if (!event) {
		count_loss(cpu, func, kind, now);
		return 0;
	}
	fill_event(event, func, now, sp, value, id);
	publish(&event->kind, lap | kind);
	return 0;
}

static __always_inline int record_go(struct pt_regs *regs, __u32 func, __u32 kind, __u64 sp, __u64 value, __u64 goid)
{
	__u64 id = bpf_get_current_pid_tgid(), now;
	__u32 cpu;
	struct go_event *go = 0;
	void *ring;

	if (!is_recorded(id >> 32))
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
	fill_event(&go->event, func, now, sp, value, id);
	go->event.kind = kind;
	go->goid = goid;
	bpf_ringbuf_submit(go, BPF_RB_NO_WAKEUP);
	return 0;
}

/* A function's entry, one of its return instructions, or any other instruction. */
SEC("uprobe.multi")
int on_instruction(struct pt_regs *regs)
{
	__u64 cookie, value = 0, sp, goid = 0;
	__u32 kind;

	if (!enabled)
		return 0;
	cookie = bpf_get_attach_cookie(regs);
	kind = COOKIE_KIND(cookie);
	if (kind == KIND_SCHED_OUT || kind == KIND_WAKEUP)
		return record_handoff(regs, cookie, kind);
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

/* A function's return, through the kernel's trampoline. */
SEC("uretprobe.multi")
int on_return(struct pt_regs *regs)
{
	if (!enabled)
		return 0;
	return record(regs, bpf_get_attach_cookie(regs), KIND_RETURN, REGS_SP(regs) - RETURN_POPS, REGS_RESULT(regs));
}

#endif
