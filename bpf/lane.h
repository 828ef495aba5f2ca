/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* The lane of a CPU, from the side that writes it. lane.go reads it. */
#ifndef UTRACE_LANE_H
#define UTRACE_LANE_H

#include "maps.h"

enum { MAX_SLOT_TRIES = 16 };

/* Takes the next slot of the CPU's lane, and says for which lap. It returns 0 if there is no room.
 * Only a thread that interrupts this one can take the slot first; that MAX_SLOT_TRIES times in a
 * row counts as no room. Whoever fills in the event ends with publish of its kind and lap. */
static __always_inline struct event *new_event(__u32 cpu, __u32 *lap)
{
	struct lane *lane = bpf_map_lookup_elem(&lanes, &cpu);

	if (!lane)
		return 0;
	for (int i = 0; i < MAX_SLOT_TRIES; i++) {
		__u64 head = *(volatile __u64 *)&lane->head;
		__u32 slot = head;
		__u64 next = slot + 1 == lane_events ? ((head >> 32) + 1) << 32 : head + 1;

		if (head - *(volatile __u64 *)&lane->tail == 1ULL << 32)
			return 0;
		if (__sync_val_compare_and_swap(&lane->head, head, next) == head) {
			slot += cpu * lane_events;
			*lap = LAP(head);
			return bpf_map_lookup_elem(&events, &slot);
		}
	}
	return 0;
}

/* Fills in all but the kind. id: tgid and tid. */
static __always_inline void fill_event(struct event *event, __u32 func, __u64 now, __u64 sp, __u64 value, __u64 id)
{
	event->func = func;
	event->time_ns = now;
	event->sp = sp;
	event->value = value;
	event->pid = id >> 32;
	event->tid = id;
}

#endif
