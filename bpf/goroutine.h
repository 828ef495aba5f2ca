/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* The goroutine of a thread that runs Go code. */
#ifndef UTRACE_GOROUTINE_H
#define UTRACE_GOROUTINE_H

#include "maps.h"

/* The goroutine on whose stack sp lies, and in *below the distance from sp up to the top of that
 * stack; 0 on any other stack. In code that is not Go's own the register may hold anything: then sp
 * does not lie in the stack that it points to. struct g begins with stack.lo and stack.hi
 * (runtime/runtime2.go). */
static __always_inline __u64 goroutine(struct pt_regs *regs, __u32 goid_offset, __u64 *below)
{
	__u64 g = REGS_G(regs), sp = REGS_SP(regs), goid = 0;
	struct {
		__u64 lo, hi;
	} stack;

	if (bpf_probe_read_user(&stack, sizeof(stack), (void *)g) || sp <= stack.lo || sp > stack.hi)
		return 0;
	if (bpf_probe_read_user(&goid, sizeof(goid), (void *)(g + goid_offset)))
		return 0;
	*below = stack.hi - sp;
	return goid;
}

#endif
