/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* The name of a function that the arguments of a site make. Its number is a hash of the arguments,
 * mixed with a secret of the recording. */
#ifndef UTRACE_NAME_H
#define UTRACE_NAME_H

#include "maps.h"

/* Mixes up to MAX_NAME bytes of s->texts into a hash. The seed is secret, so a traced program
 * cannot choose names that collide. */
__attribute__((noinline)) __u64 hash_text(struct scratch *s, __u32 from, __u32 length, __u64 hash)
{
	__u32 i;

	if (!s)
		return 0;
	if (length > MAX_NAME)
		length = MAX_NAME;
	hash ^= length;
	for (i = 0; i < MAX_NAME; i += 8) {
		__u64 at = from + i, word;
		__u32 left;

		USE_AS_IS(at);
		if (i >= length || at > MAX_TEXTS - 8)
			break;
		word = *(__u64 *)(s->texts + (at & ~7ULL));
		left = length - i;
		if (left < 8)
			word &= (1ULL << (8 * left)) - 1;
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
		hash = (hash ^ name_seed) * 0xd6e8feb86659fd93ULL;
		hash ^= hash >> 29;
	}
	return hash;
}

/* The number of the name, a hash of the bytes at this call. Nothing is remembered by address:
 * another name may be there later. */
static __always_inline __u64 name_of(struct scratch *s, const struct site *site)
{
	__u64 hash = name_seed ^ site->func;

	for (int i = 0; i < MAX_ARGS; i++) {
		__u64 v;

		if (i >= site->args)
			break;
		if (!(site->named >> i & 1))
			continue;
		v = s->event.values[i];
		if (s->event.unreadable >> i & 1)
			hash = hash * 31 + 1;
		else if (site->arg[i].as == AS_NUMBER)
			hash = (hash ^ v) * 0x9e3779b97f4a7c15ULL;
		else
			hash = hash_text(s, v >> 32, v, hash);
	}
	return hash ? hash : 1;
}

#endif
