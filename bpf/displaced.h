/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* How long the recorder has run where a traced thread would have run on. Included by utrace.bpf.c. */
#ifndef UTRACE_DISPLACED_H
#define UTRACE_DISPLACED_H

/* The process that measures costs, which belongs to the recorder; 0 for none. */
volatile __u32 calibrator_tgid;

struct displaced {
	__u64 since_ns; /* CLOCK_MONOTONIC */
	__u32 tgid;
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
	__u32 zero = 0, tid = task->pid, *here = bpf_map_lookup_elem(&displaced_here, &zero);
	struct displaced d = {.since_ns = bpf_ktime_get_ns(), .tgid = task->tgid};

	if (!here || bpf_map_update_elem(&displaced, &tid, &d, BPF_NOEXIST))
		return;
	*here = tid;
	__sync_fetch_and_add(&displacing, 1);
}

/* Records for how long it did so, if it did. */
static __always_inline void end_displaced(__u32 tid)
{
	struct displaced *found = bpf_map_lookup_elem(&displaced, &tid), d;
	__u64 now;

	if (!found)
		return;
	d = *found;
	if (bpf_map_delete_elem(&displaced, &tid)) /* another CPU was faster */
		return;
	__sync_fetch_and_sub(&displacing, 1);
	now = bpf_ktime_get_ns();
	record_sched((__u64)d.tgid << 32 | tid, KIND_DISPLACED, now, now - d.since_ns);
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
		if (!is_ours(prev) && (preempted || !prev->__state) && recorded(prev->tgid))
			begin_displaced(prev);
		return 0;
	}
	if (is_ours(prev)) {
		here = bpf_map_lookup_elem(&displaced_here, &zero);
		if (here && *here) {
			end_displaced(*here);
			*here = 0;
		}
	}
	if (displacing)
		end_displaced(next->pid);
	return 0;
}

#endif
