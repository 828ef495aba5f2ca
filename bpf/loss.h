/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* Losses: records that found no room. Another thread may interrupt this one on the same CPU, and
 * the recorder resets the counters, so they are atomic. */
#ifndef UTRACE_LOSS_H
#define UTRACE_LOSS_H

#include "maps.h"

static __always_inline void count_loss_time(struct loss *loss, __u64 now)
{
	__sync_val_compare_and_swap(&loss->first_ns, 0, now);
	if (now > loss->last_ns)
		loss->last_ns = now;
}

/* Counts an event of a function. */
static __always_inline void count_loss(__u32 cpu, __u32 func, __u32 kind, __u64 now)
{
	struct loss *loss = bpf_map_lookup_elem(&losses, &cpu);
	struct func_loss *fl = bpf_map_lookup_elem(&func_losses, &func);

	if (!loss)
		return;
	count_loss_time(loss, now);
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

/* Counts a record of the scheduler. */
static __always_inline void count_sched_loss(__u32 cpu, __u64 now)
{
	struct loss *loss = bpf_map_lookup_elem(&losses, &cpu);

	if (!loss)
		return;
	count_loss_time(loss, now);
	__sync_fetch_and_add(&loss->sched, 1);
}

#endif
