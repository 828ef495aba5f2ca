/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* Sites with arguments, results or conditions: static probes (USDT), and functions for which more
 * than the time is wanted. What to do at a site is data, an entry of the map sites. */
#ifndef UTRACE_SITE_H
#define UTRACE_SITE_H

#include "argument.h"
#include "condition.h"
#include "deferred.h"
#include "entry.h"
#include "goroutine.h"
#include "limit.h"
#include "name.h"
#include "pair.h"
#include "process.h"
#include "sched.h"
#include "scratch.h"
#include "stack.h"

/* At a return, sets the pseudo-registers REGISTER_TLS and REGISTER_ENTRY. Otherwise it remembers
 * the address for REGISTER_ENTRY. */
static __always_inline void find_thread_registers(struct pt_regs *regs, struct scratch *s, __u32 kind, struct entry_key key)
{
	__u64 ip = REGS_IP(regs), *last;

	if (kind != KIND_RETURN) {
		last = bpf_map_lookup_elem(&entry_addresses, &key);
		if (!last || *last != ip)
			bpf_map_update_elem(&entry_addresses, &key, &ip, 0);
		return;
	}
	s->regs[REGISTER_TLS] = s->regs[REGISTER_ENTRY] = 0;
	bpf_probe_read_kernel(&s->regs[REGISTER_TLS], 8, (void *)(bpf_get_current_task() + tls_offset));
	last = bpf_map_lookup_elem(&entry_addresses, &key);
	if (last)
		s->regs[REGISTER_ENTRY] = *last;
}

/* Writes the event of a site, which is in s: with its arguments into the ring, without into the
 * lane. A name that was sent before goes without its arguments. It returns 0 if there was room. */
static __always_inline long put_site(__u32 cpu, struct scratch *s, const struct site *site)
{
	struct args_event *e = &s->event;
	__u64 bytes = e->bytes;
	__u32 kind = e->event.kind, lap;
	int plain = site->args == 0 && e->goid == 0;
	__u8 sent = 1;
	void *ring;
	long err;

	if (site->flags & SITE_NAMED) {
		e->name = e->event.value = name_of(s, site);
		kind |= KIND_NAMED;
		plain = bpf_map_lookup_elem(&sent_names, &e->name) != 0;
	}
	if (kind == KIND_DROPPED)
		plain = e->goid == 0;

	if (plain) {
		struct event *event = new_event(cpu, &lap);

		if (!event)
			return -1;
		event->func = e->event.func;
		event->time_ns = e->event.time_ns;
		event->sp = e->event.sp;
		event->value = e->event.value;
		event->pid = e->event.pid;
		event->tid = e->event.tid;
		publish(&event->kind, lap | kind);
		return 0;
	}

	ring = bpf_map_lookup_elem(&rings, &cpu);
	if (!ring)
		return -1;
	e->event.kind = kind | KIND_ARGS;
	if (bytes > MAX_TEXTS)
		bytes = MAX_TEXTS;
	err = bpf_ringbuf_output(ring, e, sizeof(*e) + bytes, BPF_RB_NO_WAKEUP);
	if (!err && e->name && site->kind != KIND_RETURN) /* a return has another line than the function */
		bpf_map_update_elem(&sent_names, &e->name, &sent, 0);
	return err;
}

/* Makes the event of a site in s, with its arguments. */
static __always_inline void make_event(struct pt_regs *regs, struct scratch *s, const struct site *site, __u64 id, __u64 now,
	__u64 sp, __u64 value, __u64 goid)
{
	s->event.event = (struct event){
		.kind = site->kind,
		.func = site->func,
		.time_ns = now,
		.sp = sp,
		.value = value,
		.pid = id >> 32,
		.tid = id,
	};
	s->event.goid = goid;
	s->event.name = 0;
	s->event.args = site->args;
	if (site->flags & SITE_THREAD)
		find_thread_registers(regs, s, site->kind, (struct entry_key){.tgid = id >> 32, .func = site->func});
	fetch_args(regs, s, site);
	if (site->flags & SITE_KEYED) {
		__u32 k = site->key;

		if (k < MAX_ARGS)
			s->event.event.value = s->event.values[k];
	}
}

/* Writes the event of a deferred site, which is in s, if it is kept. at: index of the site. */
static __always_inline void finish_deferred(struct pt_regs *regs, struct scratch *s, const struct site *site, __u32 at, __u64 id,
	__u32 cpu, __u64 now, const struct kept_key *key)
{
	__u32 kind = site->kind;
	int keep;

	if (kind == KIND_ENTRY && site->flags & SITE_FUNCTION)
		s->event.event.kind = kind = entry_kind(regs);
	s->context.thread = key->thread;
	s->context.tgid = key->tgid;
	s->context.sp = key->thread & GOROUTINE ? GO_STACK_TOP - key->sp : key->sp;
	s->context.cpu = cpu;
	s->context.site = at;
	keep = defer_event(s, site, id);
	if (keep < 0)
		count_loss(cpu, site->func, kind, now);
	if (keep > 0 && put_site(cpu, s, site))
		count_loss(cpu, site->func, kind, now);
}

/* Writes the event of any other site, which is in s, if it is kept, and returns whether it is. late:
 * its time is still to be taken. */
static __always_inline int finish_event(struct pt_regs *regs, struct scratch *s, const struct site *site, __u64 id,
	__u32 cpu, __u64 now, int late, struct kept_key *key)
{
	__u32 kind = site->kind;
	int keep = meets_condition(s, site, id);

	if (kind == KIND_ENTRY && site->flags & SITE_FUNCTION) {
		if (!keep && site->flags & SITE_PAIRED && !bpf_map_lookup_elem(&kept_calls, key)) { /* nearly always */
			count_unmet(site->func, kind);
			return 0;
		}
		s->event.event.kind = kind = entry_kind(regs);
	}

	if (site->flags & SITE_NESTED)
		keep = pair_nested(site, id, keep);
	if (site->flags & SITE_KEYED) {
		key->thread = 0; /* it may end on another one */
		key->sp = s->event.event.value;
	}
	if (site->flags & SITE_PAIRED && (kind != KIND_RETURN || site->flags & SITE_KEYED))
		keep = pair_by_key(kind, key, keep);

	if (!keep)
		count_unmet(site->func, kind);
	if (keep && late)
		s->event.event.time_ns = now = bpf_ktime_get_ns();
	if (keep && put_site(cpu, s, site))
		count_loss(cpu, site->func, kind, now);
	return keep;
}

/* What happens at a site. It returns whether the return of a call is wanted:
 *
 *  1. Find the site, and leave if nothing is to be recorded.
 *  2. Leave if it is a return whose entry was not kept.
 *  3. Make the event in a scratch.
 *  4. Write it, if its condition and the decision at its entry keep it.
 *
 * If most calls may be dropped (late), the time is taken in step 4: taking it is what costs a
 * dropped call most. */
static __always_inline int visit(struct pt_regs *regs, __u32 at)
{
	__u64 id = bpf_get_current_pid_tgid(), now = 0, sp = 0, value = 0, goid = 0;
	struct kept_key key;
	__u32 cpu, kind;
	struct site *site;
	struct scratch *s;
	int late, keep = 1;

	if (!enabled || !is_recorded(id >> 32))
		return 0;
	site = bpf_map_lookup_elem(&sites, &at);
	if (!site)
		return 0;
	kind = site->kind;
	if (stacks && site->flags & SITE_FUNCTION && kind == KIND_ENTRY)
		value = stack_of(regs); /* ahead of the call's time */
	if (limited) {
		now = bpf_ktime_get_ns();
		if (!count_hit(id >> 32, site->func, kind))
			return 0;
	}

	if (site->flags & SITE_FRAME)
		sp = REGS_SP(regs);
	if (site->flags & SITE_TRAMPOLINE)
		sp -= RETURN_POPS;
	if (site->flags & SITE_FUNCTION) {
		if (kind == KIND_RETURN)
			value = REGS_RESULT(regs);
		if (site->goid)
			goid = goroutine(regs, site->goid, &sp);
	}
	key = (struct kept_key){
		.thread = goid ? goid | GOROUTINE : (__u32)id, .sp = sp, .func = site->func, .tgid = id >> 32};
	if (site->flags & SITE_PAIRED && !(site->flags & SITE_KEYED) && kind == KIND_RETURN && !pair_by_key(kind, &key, 0)) {
		count_unmet(site->func, kind);
		return 0;
	}

	late = !limited && site->conds > 0 && kind != KIND_RETURN && !(site->flags & SITE_DEFERRED);
	if (!limited && !late)
		now = bpf_ktime_get_ns();
	if (!goid && !(site->flags & SITE_KEYED)) /* else the call belongs to no thread */
		mark_seen(id);
	cpu = bpf_get_smp_processor_id();
	s = take_scratch(cpu);
	if (!s) {
		count_loss(cpu, site->func, kind, late ? bpf_ktime_get_ns() : now);
		return 0;
	}
	make_event(regs, s, site, id, now, sp, value, goid);
	if (defer_calls && site->flags & SITE_DEFERRED)
		finish_deferred(regs, s, site, at, id, cpu, now, &key);
	else
		keep = finish_event(regs, s, site, id, cpu, now, late, &key);
	s->busy = 0;
	return keep;
}

SEC("uprobe.multi")
int on_site(struct pt_regs *regs)
{
	visit(regs, bpf_get_attach_cookie(regs));
	return 0;
}

/* A function's entry and its return in one program (a session). The result of the entry says whether
 * the kernel leaves the return alone: a call that is dropped has no trap there. The cookie has both
 * sites, see SESSION_RETURN. */
SEC("uprobe.session")
int on_call(struct pt_regs *regs)
{
	__u64 cookie = bpf_get_attach_cookie(regs);

	if (bpf_session_is_return()) {
		visit(regs, SESSION_RETURN(cookie));
		return 0;
	}
	return !visit(regs, cookie);
}

#endif
