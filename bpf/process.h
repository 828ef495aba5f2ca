/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* The processes that are recorded. */
#ifndef UTRACE_PROCESS_H
#define UTRACE_PROCESS_H

#include "maps.h"

/* Whether the process belongs to the recorder. */
static __always_inline int is_ours(__u32 tgid)
{
	return tgid && (tgid == own_tgid || tgid == calibrator_tgid || tgid == holder_tgid);
}

/* Whether events of the process are recorded. */
static __always_inline int is_recorded(__u32 tgid)
{
	if (only_tgid)
		return tgid == only_tgid;
	return filter_tgids ? bpf_map_lookup_elem(&tgids, &tgid) != 0 : tgid != own_tgid;
}

#endif
