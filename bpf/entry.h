/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* The entry of a function: whether it was called, or jumped to. */
#ifndef UTRACE_ENTRY_H
#define UTRACE_ENTRY_H

#include "types.h"

/* KIND_ENTRY or KIND_TAIL_ENTRY. A caller that jumped here left its own return address. If the
 * caller has a return probe, that address was replaced by the kernel's trampoline: the first byte
 * of a page (xol_area in kernel/events/uprobes.c). One call in 4,096 returns to such a byte as
 * well, so the code there is looked at. It cannot be read before a thread has first run the
 * trampoline. */
static __always_inline __u32 entry_kind(struct pt_regs *regs)
{
	__u64 address = return_address(regs);
	__u32 code;

	if (address & (PAGE_BYTES - 1))
		return KIND_ENTRY;
	if (bpf_probe_read_user(&code, sizeof(code), (void *)address))
		return KIND_TAIL_ENTRY;
	return is_trampoline(code) ? KIND_TAIL_ENTRY : KIND_ENTRY;
}

#endif
