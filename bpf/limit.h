/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* The overhead limit: hits by function and their cost by process, whether their events are recorded,
 * lost or dropped. */
#ifndef UTRACE_LIMIT_H
#define UTRACE_LIMIT_H

#include "maps.h"

/* Adds the cost of a hit to its process. */
static __always_inline void charge(__u32 tgid, __u32 ns)
{
	struct process_use *use = bpf_map_lookup_elem(&process_uses, &tgid), none = {};

	if (!use) {
		bpf_map_update_elem(&process_uses, &tgid, &none, BPF_NOEXIST);
		use = bpf_map_lookup_elem(&process_uses, &tgid);
	}
	if (use)
		__sync_fetch_and_add(&use->cost_ns, ns);
	else
		__sync_fetch_and_add(&uncounted_hits, 1);
}

/* Counts a hit, and reports whether the function is on. The time of the hit must have been read
 * before: then no event of a function is later than the moment at which it was turned off. Another
 * thread may interrupt this one on the same CPU, so the counters are atomic. */
static __always_inline int count_hit(__u32 tgid, __u32 func, __u32 kind)
{
	struct func_limit *f = bpf_map_lookup_elem(&func_limits, &func);

	if (!f)
		return 1;
	charge(tgid, kind == KIND_RETURN ? f->return_ns : f->entry_ns);
	if (*(volatile __u32 *)&f->off)
		return 0;
	if (kind == KIND_RETURN)
		__sync_fetch_and_add(&f->returns, 1);
	else
		__sync_fetch_and_add(&f->entries, 1);
	return 1;
}

#endif
