/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* Tasks: what recorded processes do, and their children. */
#ifndef UTRACE_TASK_H
#define UTRACE_TASK_H

#include "process.h"
#include "sched.h"
#include "stack.h"

static __always_inline void fill_task(struct task *rec, __u32 kind, __u64 id, __u32 other)
{
	rec->kind = kind;
	rec->other = other;
	rec->time_ns = bpf_ktime_get_ns();
	rec->pid = id >> 32;
	rec->tid = id;
}

static __always_inline void put_arrival(struct task *rec, __u64 flags)
{
	if (bpf_ringbuf_output(&arrivals, rec, sizeof(*rec), flags))
		__sync_fetch_and_add(&lost_arrivals, 1);
}

/* Writes a record. Forks and execs wake the reader of arrivals. */
static __always_inline void put_task(struct task *rec)
{
	if (bpf_ringbuf_output(&tasks, rec, sizeof(*rec), BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&lost_tasks, 1);
	if (rec->kind != TASK_THREAD_EXIT)
		put_arrival(rec, rec->kind == TASK_PROCESS_EXIT ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP);
}

/* Called by the parent before the child can run (kernel_clone in kernel/fork.c): no call of the
 * child is missed. Arguments: parent, child. */
SEC("raw_tp/sched_process_fork")
int on_fork(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *child = (void *)ctx->args[1];
	__u32 parent = bpf_get_current_pid_tgid() >> 32;
	__u32 tgid = BPF_CORE_READ(child, tgid);
	struct task rec = {};
	__u8 one = 1;

	if (tgid == parent || !is_recorded(parent)) /* a thread, or the child of another process */
		return 0;
	if (!filter_tgids && !report_forks)
		return 0;
	if (filter_tgids && bpf_map_update_elem(&tgids, &tgid, &one, BPF_NOEXIST)) {
		__sync_fetch_and_add(&unfollowed, 1);
		return 0;
	}
	fill_task(&rec, TASK_FORK, (__u64)tgid << 32 | tgid, parent);
	BPF_CORE_READ_INTO(&rec.comm, child, comm);
	put_task(&rec);
	return 0;
}

/* Called when the new program is loaded and named, before it runs (exec_binprm in fs/exec.c).
 * Arguments: task, its former thread ID, bprm. */
SEC("raw_tp/sched_process_exec")
int on_exec(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct task rec = {};

	clear_seen(id);
	clear_seen(ctx->args[1]);
	fill_task(&rec, TASK_EXEC, id, ctx->args[1]);
	if (!is_recorded(id >> 32)) {
		if (report_execs)
			put_arrival(&rec, BPF_RB_FORCE_WAKEUP);
		return 0;
	}
	begin_generation(id >> 32);
	bpf_get_current_comm(&rec.comm, sizeof(rec.comm));
	put_task(&rec);
	return 0;
}

/* Called by each thread after its last instruction, when signal->live does not count it any more
 * (do_exit in kernel/exit.c). Two threads that exit at once may both see themselves as the last.
 * Argument: task. */
SEC("raw_tp/sched_process_exit")
int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = id >> 32, kind = TASK_THREAD_EXIT, killed_by = 0;
	struct task rec = {};

	clear_seen(id);
	if (!is_recorded(tgid))
		return 0;
	if (BPF_CORE_READ(task, signal, live.counter) == 0) {
		kind = TASK_PROCESS_EXIT;
		killed_by = BPF_CORE_READ(task, exit_code) & 0x7f;
		begin_generation(tgid);
		bpf_map_delete_elem(&tgids, &tgid);
	}
	fill_task(&rec, kind, id, killed_by);
	bpf_get_current_comm(&rec.comm, sizeof(rec.comm));
	put_task(&rec);
	return 0;
}

#endif
