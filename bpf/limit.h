/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* The overhead limit: hits by process and function, whether their events are recorded, lost or
 * dropped. */
#ifndef UTRACE_LIMIT_H
#define UTRACE_LIMIT_H

#include "maps.h"

/* Counts a hit, and reports whether the function is not removed. The time of the hit must have been
 * read before: then no event of a function is later than its removal. Another thread may interrupt
 * this one on the same CPU, so the counters are atomic. */
static __always_inline int count_hit(__u32 tgid, __u32 func, __u32 kind)
{
	struct hits_key key = {.tgid = tgid, .func = func};
	__u32 *off = bpf_map_lookup_elem(&removed, &func);
	struct hits *h, none = {};

	if (off && *off)
		return 0;
	h = bpf_map_lookup_elem(&hits, &key);
	if (!h) {
		bpf_map_update_elem(&hits, &key, &none, BPF_NOEXIST);
		h = bpf_map_lookup_elem(&hits, &key);
	}
	if (!h)
		__sync_fetch_and_add(&uncounted_hits, 1);
	else if (kind == KIND_RETURN)
		__sync_fetch_and_add(&h->returns, 1);
	else
		__sync_fetch_and_add(&h->entries, 1);
	return 1;
}

#endif
