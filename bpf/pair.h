/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* Pairs of an entry and a return under a condition on the entry: the return, or the end of a span,
 * shares the decision made at the entry. */
#ifndef UTRACE_PAIR_H
#define UTRACE_PAIR_H

#include "maps.h"

/* Pairs calls by nesting alone, and reports whether to keep the event. Calls nested deeper than
 * MAX_NESTED are dropped. */
static __always_inline int pair_nested(const struct site *site, __u64 id, int keep)
{
	struct nested_key key = {.tid = id, .func = site->func};
	struct nested_calls *calls = bpf_map_lookup_elem(&nested_calls, &key);
	__u64 depth, bit, at;

	if (site->kind == KIND_RETURN) {
		if (!calls || calls->depth == 0)
			return 0;
		depth = --calls->depth;
	} else {
		if (!calls) {
			__u32 zero = 0;
			struct nested_calls *none = bpf_map_lookup_elem(&no_nested_calls, &zero);

			if (!none)
				return 0;
			bpf_map_update_elem(&nested_calls, &key, none, BPF_NOEXIST);
			calls = bpf_map_lookup_elem(&nested_calls, &key);
			if (!calls)
				return 0;
		}
		depth = calls->depth++;
	}
	at = depth / 64;
	USE_AS_IS(at);
	if (at >= MAX_NESTED / 64)
		return 0;
	bit = 1ULL << (depth & 63);
	if (site->kind == KIND_RETURN)
		return (calls->kept[at] & bit) != 0;
	if (keep)
		calls->kept[at] |= bit;
	else
		calls->kept[at] &= ~bit;
	return keep;
}

/* Pairs calls by key, and reports whether to keep the event. If a call was left without a return,
 * the next call with its key replaces it. */
static __always_inline int pair_by_key(__u32 kind, const struct kept_key *key, int keep)
{
	__u32 *n, one = 1;

	if (kind == KIND_ENTRY) {
		if (keep)
			bpf_map_update_elem(&kept_calls, key, &one, 0);
		else
			bpf_map_delete_elem(&kept_calls, key);
		return keep;
	}
	n = bpf_map_lookup_elem(&kept_calls, key);
	if (kind == KIND_TAIL_ENTRY) {
		if (keep && n)
			++*n;
		else if (keep)
			bpf_map_update_elem(&kept_calls, key, &one, 0);
		return keep;
	}
	if (!n)
		return 0;
	if (*n > 1)
		--*n;
	else
		bpf_map_delete_elem(&kept_calls, key);
	return 1;
}

#endif
