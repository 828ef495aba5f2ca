/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* Goroutines that wait, and the goroutines that end their waits: probes on two functions of Go's
 * runtime (runtime/proc.go). */
#ifndef UTRACE_HANDOFF_H
#define UTRACE_HANDOFF_H

#include "displaced.h"

/* The offset of m in the runtime's struct g (runtime/runtime2.go: after stack, stackguard0 and 1,
 * _panic and _defer). */
#define G_M 48

/* The goroutine for which the runtime runs on its own stack: m.curg. None while it schedules. */
static __always_inline __u64 served_goroutine(struct pt_regs *regs, __u32 goid_offset, __u32 curg_offset)
{
	__u64 m = 0, curg = 0, goid = 0;

	if (!curg_offset || bpf_probe_read_user(&m, sizeof(m), (void *)(REGS_G(regs) + G_M)))
		return 0;
	if (bpf_probe_read_user(&curg, sizeof(curg), (void *)(m + curg_offset)) || !curg)
		return 0;
	bpf_probe_read_user(&goid, sizeof(goid), (void *)(curg + goid_offset));
	return goid;
}

/* At gopark(), KIND_SCHED_OUT: the goroutine waits. At ready(gp, …), KIND_WAKEUP: gp may run
 * again. The cookie has the offset of curg in the runtime's struct m instead of a function. */
static __always_inline int record_handoff(struct pt_regs *regs, __u64 cookie, __u32 kind)
{
	__u64 id = bpf_get_current_pid_tgid(), goid = 0, below, value = 1;
	__u32 offset = COOKIE_GOID(cookie);

	if (!is_recorded(id >> 32))
		return 0;
	if (kind == KIND_SCHED_OUT) {
		goid = goroutine(regs, offset, &below);
	} else {
		bpf_probe_read_user(&goid, sizeof(goid), (void *)(REGS_GO_ARG(regs) + offset));
		value = (__u32)served_goroutine(regs, offset, cookie);
		value |= value ? WAKEUP_GOROUTINE : WAKEUP_IN_INTERRUPT;
	}
	if (goid)
		record_sched_go(id, kind, bpf_ktime_get_ns(), value, goid);
	return 0;
}

#endif
