/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* The end of a call shares what a condition has decided at its entry. Included by site.h. */
#ifndef UTRACE_GATE_H
#define UTRACE_GATE_H

/* Open calls of a thread that only their nesting tells apart, a bit each from the outermost on: whether their entries were kept. */
struct gate {
	__u64 depth;
	__u64 kept[MAX_GATED / 64];
};

struct gate_key {
	__u32 tid, func;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct gate_key);
	__type(value, struct gate);
} gates SEC(".maps");

/* A gate of no calls: too large for a program's stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gate);
} no_gate SEC(".maps");

/* Tells the number of a goroutine from that of a thread. */
#define GOROUTINE (1ULL << 63)

/* Calls of functions, and spans, whose entries were kept under a condition. */
struct kept_key {
	__u64 thread; /* or goroutine; 0 for spans that an argument tells apart */
	__u64 sp;     /* or that argument */
	__u32 func, tgid;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct kept_key);
	__type(value, __u32); /* how many have this place: a function can jump to itself */
} kept_calls SEC(".maps");

/* Has the end of a call share what was decided at its entry. Calls that are nested too deeply are dropped. */
static __always_inline int gated(const struct site *site, __u64 id, int keep)
{
	struct gate_key key = {.tid = id, .func = site->func};
	struct gate *gate = bpf_map_lookup_elem(&gates, &key);
	__u64 depth, bit, at;

	if (site->kind == KIND_RETURN) {
		if (!gate || gate->depth == 0)
			return 0;
		depth = --gate->depth;
	} else {
		if (!gate) {
			__u32 zero = 0;
			struct gate *none = bpf_map_lookup_elem(&no_gate, &zero);

			if (!none)
				return 0;
			bpf_map_update_elem(&gates, &key, none, BPF_NOEXIST);
			gate = bpf_map_lookup_elem(&gates, &key);
			if (!gate)
				return 0;
		}
		depth = gate->depth++;
	}
	at = depth / 64;
	USE_AS_IS(at);
	if (at >= MAX_GATED / 64)
		return 0;
	bit = 1ULL << (depth & 63);
	if (site->kind == KIND_RETURN)
		return (gate->kept[at] & bit) != 0;
	if (keep)
		gate->kept[at] |= bit;
	else
		gate->kept[at] &= ~bit;
	return keep;
}

/* Has the return of a function, or the end of a span, share what was decided at its entry. A call that was left without a return
 * has its place taken by the next one there. */
static __always_inline int paired(__u32 kind, const struct kept_key *key, int keep)
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
