/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* Displaced threads: for how long the recorder ran on a CPU where a traced thread would have run
 * on. */
#ifndef UTRACE_DISPLACED_H
#define UTRACE_DISPLACED_H

#include "goroutine.h"
#include "process.h"
#include "sched.h"

/* Notes that the recorder pre-empts a thread. In a Go program for which displaced_goid is wrong,
 * the number found there belongs to no goroutine of the trace. */
static __always_inline void begin_displaced(struct task_struct *task)
{
	__u32 zero = 0, tid = task->pid, offset = displaced_goid, *here = bpf_map_lookup_elem(&displaced_here, &zero);
	struct displaced d = {.since_ns = bpf_ktime_get_ns(), .tgid = task->tgid, .cpu = bpf_get_smp_processor_id()};
	__u64 below;

	if (offset) /* task is still current, and its memory accessible */
		d.goid = goroutine((struct pt_regs *)bpf_task_pt_regs(task), offset, &below);
	if (!here || bpf_map_update_elem(&displaced_threads, &tid, &d, BPF_NOEXIST))
		return;
	*here = tid;
	__sync_fetch_and_add(&displaced_count, 1);
}

/* record_sched for a goroutine. */
static __always_inline void record_sched_go(__u64 id, __u32 kind, __u64 now, __u64 value, __u64 goid)
{
	__u32 cpu = bpf_get_smp_processor_id();
	void *ring = bpf_map_lookup_elem(&rings, &cpu);
	struct go_event *go = 0;

	if (ring)
		go = bpf_ringbuf_reserve(ring, sizeof(*go), 0);
	if (!go) {
		count_sched_loss(cpu, now);
		return;
	}
	fill_event(&go->event, 0, now, 0, value, id);
	go->event.kind = kind;
	go->goid = goid;
	bpf_ringbuf_submit(go, BPF_RB_NO_WAKEUP);
}

/* If the thread is displaced, on any CPU or (here) on this one, ends that and records its
 * length. */
static __always_inline void end_displaced(__u32 tid, int here)
{
	struct displaced *found = bpf_map_lookup_elem(&displaced_threads, &tid), d;
	__u64 now, id;

	if (!found)
		return;
	d = *found;
	if (here && d.cpu != bpf_get_smp_processor_id())
		return;
	if (bpf_map_delete_elem(&displaced_threads, &tid)) /* another CPU was faster */
		return;
	__sync_fetch_and_sub(&displaced_count, 1);
	now = bpf_ktime_get_ns();
	id = (__u64)d.tgid << 32 | tid;
	if (d.goid)
		record_sched_go(id, KIND_DISPLACED, now, now - d.since_ns, d.goid);
	else
		record_sched(id, KIND_DISPLACED, now, now - d.since_ns);
}

/* A displacement ends when the recorder leaves the CPU, whoever runs there next, or when the thread
 * runs elsewhere. Arguments: whether prev was pre-empted, prev, next. */
SEC("tp_btf/sched_switch")
int on_displacing(__u64 *args)
{
	struct task_struct *prev = (void *)args[1], *next = (void *)args[2];
	int preempted = args[0];
	__u32 zero = 0, *here;

	if (!enabled)
		return 0;
	if (is_ours(next->tgid)) {
		if (!is_ours(prev->tgid) && (preempted || !prev->__state) && !(prev->flags & PF_KTHREAD) && is_recorded(prev->tgid))
			begin_displaced(prev);
		return 0;
	}
	if (is_ours(prev->tgid)) {
		here = bpf_map_lookup_elem(&displaced_here, &zero);
		if (here && *here) {
			end_displaced(*here, 1);
			*here = 0;
		}
	}
	if (displaced_count)
		end_displaced(next->pid, 0);
	return 0;
}

#endif
