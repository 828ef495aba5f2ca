/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* What the limit of overhead needs: hits counted by process and function, be their
 * events recorded, lost or unwanted, and functions that are taken off. Included by utrace.bpf.c. */
#ifndef UTRACE_LIMIT_H
#define UTRACE_LIMIT_H

const volatile __u8 limited; /* set before loading; hits are not counted otherwise */

volatile __u64 uncounted; /* hits that found no room in hits */

struct hits_key {
	__u32 tgid, func;
};

struct hits {
	__u64 entries; /* and hits of probes that have no return */
	__u64 returns;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1); /* set before loading */
	__type(key, struct hits_key);
	__type(value, struct hits);
} hits SEC(".maps");

/* Not 0 for functions whose probes are being taken off: from then on they record nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* functions, set before loading */
	__type(key, __u32);
	__type(value, __u32);
} taken_off SEC(".maps");

/* Counts a hit. It reports whether the function is still on. The time of the hit must have been
 * read before: then no event of a function is later than it was taken off. Another thread may interrupt
 * this one on the same CPU, so the counters are atomic. */
static __always_inline int count_hit(__u32 tgid, __u32 func, __u32 kind)
{
	struct hits_key key = {.tgid = tgid, .func = func};
	__u32 *off = bpf_map_lookup_elem(&taken_off, &func);
	struct hits *h, none = {};

	if (off && *off)
		return 0;
	h = bpf_map_lookup_elem(&hits, &key);
	if (!h) {
		bpf_map_update_elem(&hits, &key, &none, BPF_NOEXIST);
		h = bpf_map_lookup_elem(&hits, &key);
	}
	if (!h)
		__sync_fetch_and_add(&uncounted, 1);
	else if (kind == KIND_RETURN)
		__sync_fetch_and_add(&h->returns, 1);
	else
		__sync_fetch_and_add(&h->entries, 1);
	return 1;
}

#endif
