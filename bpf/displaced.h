/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* How long the recorder has run where a traced thread would have run on. Included by utrace.bpf.c. */
#ifndef UTRACE_DISPLACED_H
#define UTRACE_DISPLACED_H

/* The process that measures costs, which belongs to the recorder; 0 for none. */
volatile __u32 calibrator_tgid;

/* Where Go programs that are recorded have goid in the runtime's struct g, 0 for nowhere. Of a program for which that is wrong, the
 * number that is found there is of no goroutine that is known to the recorder. */
volatile __u32 displaced_goid;

enum {
	PF_KTHREAD = 0x00200000, /* include/linux/sched.h: the idle task has it, too */
};

struct displaced {
	__u64 since_ns; /* CLOCK_MONOTONIC */
	__u64 goid;     /* 0 for none */
	__u32 tgid;
	__u32 cpu;
};

/* Threads whose place the recorder has taken, by thread ID: at most one for each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* CPUs, set before loading */
	__type(key, __u32);
	__type(value, struct displaced);
} displaced SEC(".maps");

/* How many these are. */
volatile __u64 displacing;

/* The one on this CPU, 0 for none. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} displaced_here SEC(".maps");

static __always_inline int is_ours(struct task_struct *task)
{
	__u32 tgid = task->tgid;

	return tgid && (tgid == own_tgid || tgid == calibrator_tgid);
}

/* Notes that the recorder takes the place of a thread. */
static __always_inline void begin_displaced(struct task_struct *task)
{
	__u32 zero = 0, tid = task->pid, offset = displaced_goid, *here = bpf_map_lookup_elem(&displaced_here, &zero);
	struct displaced d = {.since_ns = bpf_ktime_get_ns(), .tgid = task->tgid, .cpu = bpf_get_smp_processor_id()};
	__u64 below;

	if (offset) /* task is current still, and its memory in place */
		d.goid = goroutine((struct pt_regs *)bpf_task_pt_regs(task), offset, &below);
	if (!here || bpf_map_update_elem(&displaced, &tid, &d, BPF_NOEXIST))
		return;
	*here = tid;
	__sync_fetch_and_add(&displacing, 1);
}

/* The same as record_sched, of a goroutine. */
static __always_inline void record_sched_go(__u64 id, __u32 kind, __u64 now, __u64 value, __u64 goid)
{
	__u32 cpu = bpf_get_smp_processor_id();
	void *ring = bpf_map_lookup_elem(&rings, &cpu);
	struct go_event *go = 0;

	if (ring)
		go = bpf_ringbuf_reserve(ring, sizeof(*go), 0);
	if (!go) {
		lose_sched(cpu, now);
		return;
	}
	fill(&go->event, 0, now, 0, value, id);
	go->event.kind = kind;
	go->goid = goid;
	bpf_ringbuf_submit(go, BPF_RB_NO_WAKEUP);
}

/* Records for how long it did so, if it did: on any CPU, or on this one. */
static __always_inline void end_displaced(__u32 tid, int here)
{
	struct displaced *found = bpf_map_lookup_elem(&displaced, &tid), d;
	__u64 now, id;

	if (!found)
		return;
	d = *found;
	if (here && d.cpu != bpf_get_smp_processor_id())
		return;
	if (bpf_map_delete_elem(&displaced, &tid)) /* another CPU was faster */
		return;
	__sync_fetch_and_sub(&displacing, 1);
	now = bpf_ktime_get_ns();
	id = (__u64)d.tgid << 32 | tid;
	if (d.goid)
		record_sched_go(id, KIND_DISPLACED, now, now - d.since_ns, d.goid);
	else
		record_sched(id, KIND_DISPLACED, now, now - d.since_ns);
}

/* It ends when the recorder leaves the CPU, whoever runs there then, or the thread runs elsewhere.
 * Arguments: whether prev was preempted, prev, next. */
SEC("tp_btf/sched_switch")
int on_displacing(__u64 *args)
{
	struct task_struct *prev = (void *)args[1], *next = (void *)args[2];
	int preempted = args[0];
	__u32 zero = 0, *here;

	if (!enabled)
		return 0;
	if (is_ours(next)) {
		if (!is_ours(prev) && (preempted || !prev->__state) && !(prev->flags & PF_KTHREAD) && recorded(prev->tgid))
			begin_displaced(prev);
		return 0;
	}
	if (is_ours(prev)) {
		here = bpf_map_lookup_elem(&displaced_here, &zero);
		if (here && *here) {
			end_displaced(*here, 1);
			*here = 0;
		}
	}
	if (displacing)
		end_displaced(next->pid, 0);
	return 0;
}

#endif
