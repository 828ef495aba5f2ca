/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* The scratch of a program. A program runs to its end on one CPU, but others may run there in
 * between: each takes a scratch of its own. */
#ifndef UTRACE_SCRATCH_H
#define UTRACE_SCRATCH_H

#include "maps.h"

/* Returns 0 if all are in use. The scratch is given back by setting busy to 0. */
static __always_inline struct scratch *take_scratch(__u32 cpu)
{
	for (int i = 0; i < SCRATCHES_PER_CPU; i++) {
		__u32 at = cpu * SCRATCHES_PER_CPU + i;
		struct scratch *s = bpf_map_lookup_elem(&scratches, &at);

		if (s && !__sync_lock_test_and_set(&s->busy, 1))
			return s;
	}
	return 0;
}

#endif
