/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* Deferred calls. A condition on what a function returns, or how long it took, can only be decided
 * at the return. So the record of the entry is written late. What happens in a thread must stay in
 * its order, so all sites are deferred as soon as one is:
 *
 *  1. A thread has a stack of open calls. They are paired by stack pointer, as the analyzer pairs
 *     them.
 *  2. Before anything of the thread is written, the entries of the open calls around it are
 *     written. So the written entries are always the outer part of the stack.
 *  3. A call that is not kept adds to the counters of its function and process (dropped_calls). If
 *     its entry was already written, for something kept inside, its return is written as
 *     KIND_DROPPED.
 *  4. A call that is over leaves nothing else. Nor does a thread that ends, or a goroutine without
 *     open calls. A thread that was blocked for long must find its calls again: so none of these
 *     maps evicts entries.
 *  5. When a thread ends, or executes another program, its calls are over, see threadend.h. */
#ifndef UTRACE_DEFERRED_H
#define UTRACE_DEFERRED_H

#include "argument.h"
#include "condition.h"
#include "name.h"
#include "opencall.h"

/* The bit of a function in below of struct open_call. */
static __always_inline __u64 func_bit(__u32 func, __u64 name)
{
	return 1ULL << ((func ^ name ^ (name >> 32)) & 63);
}

/* Makes comparison i, if it is made at the entry. Its outcome goes into memory, where the verifier
 * does not follow it. */
__attribute__((noinline)) int compare_entry(struct scratch *s, const struct site *site, __u32 i, __u64 id)
{
	if (!s || !site || i >= MAX_CONDS)
		return 0;
	if (!site->cond[i].late && compare(s, &site->cond[i], id))
		s->context.held |= 1 << i;
	return 0;
}

/* Evaluates comparison s->context.at and moves on. At the return, comparisons made at the entry
 * reuse their stored outcome. It reports whether there may be a next one. */
__attribute__((noinline)) int decide_step(struct scratch *s, const struct site *site, __u64 id)
{
	__u32 at;
	int holds;

	if (!s || !site)
		return 0;
	at = s->context.at;
	if (at >= MAX_CONDS)
		return 0;
	if (!site->cond[at].late)
		holds = s->context.held >> at & 1;
	else if (site->kind == KIND_RETURN)
		holds = compare(s, &site->cond[at], id);
	else
		return 0;
	s->context.at = holds ? site->cond[at].yes : site->cond[at].no;
	return 1;
}

/* Returns COND_KEEP, COND_DROP or, at the entry, the comparison that must wait for the return. */
static __always_inline __u32 decide(struct scratch *s, const struct site *site, __u64 id)
{
	if (site->conds == 0)
		return COND_KEEP;
	s->context.at = 0;
	if (site->kind != KIND_RETURN) {
		s->context.held = 0;
		for (__u32 i = 0; i < MAX_CONDS; i++) {
			if (i >= site->conds)
				break;
			compare_entry(s, site, i, id);
		}
	}
	for (int n = 0; n < MAX_CONDS; n++) {
		if (!decide_step(s, site, id))
			break;
	}
	return s->context.at;
}

/* Sends the arguments of a name, without the event, if they were not sent yet. */
static __always_inline void send_name(struct scratch *s)
{
	struct args_event *e = &s->event;
	__u32 cpu = s->context.cpu, kind = e->event.kind;
	__u64 bytes = e->bytes;
	__u8 sent = 1;
	void *ring;

	if (bpf_map_lookup_elem(&sent_names, &e->name))
		return;
	ring = bpf_map_lookup_elem(&rings, &cpu);
	if (!ring)
		return;
	if (bytes > MAX_TEXTS)
		bytes = MAX_TEXTS;
	e->event.kind = KIND_NAME | KIND_NAMED | KIND_ARGS;
	if (!bpf_ringbuf_output(ring, e, sizeof(*e) + bytes, BPF_RB_NO_WAKEUP))
		bpf_map_update_elem(&sent_names, &e->name, &sent, 0);
	e->event.kind = kind;
}

/* Opens a call: the event of its entry is in s. It reports whether to write that now; -1 if there
 * was no room. */
__attribute__((noinline)) int defer_entry(struct scratch *s, const struct site *site, __u64 id)
{
	struct call_key key;
	struct open_call *outer, c;
	struct call_context *ctx;
	__u32 decided;

	if (!s || !site)
		return 0;
	ctx = &s->context;
	ctx->gone_sp = s->event.event.kind == KIND_ENTRY && site->flags & SITE_FUNCTION ? ctx->sp : ctx->sp - 1;
	if (ctx->sp)
		unwind_gone(s);

	decided = decide(s, site, id);
	c = (struct open_call){
		.sp = ctx->sp,
		.name = ctx->name,
		.stack = s->event.event.value,
		.time_ns = s->event.event.time_ns,
		.func = s->event.event.func,
		.tid = id,
		.goid = s->event.goid,
		.site = ctx->site,
		.held = ctx->held,
		.kind = s->event.event.kind,
	};
	if (decided >= COND_KEEP)
		c.state = decided == COND_KEEP ? CALL_KEPT : CALL_UNWANTED;
	else
		c.args = site->args && !(site->flags & SITE_NAMED);
	outer = ctx->depth > 0 ? call_at(ctx, ctx->depth - 1) : 0;
	if (outer)
		c.below = outer->below | func_bit(outer->func, outer->name);
	key = (struct call_key){.thread = ctx->thread, .tgid = ctx->tgid, .depth = ctx->depth};
	if (bpf_map_update_elem(&open_calls, &key, &c, 0))
		return -1;

	if (decided == COND_DROP) {
		count_unmet(site->func, KIND_ENTRY);
		ctx->depth++;
		return 0;
	}
	if (decided == COND_KEEP) {
		write_open(s);
		ctx->depth++;
		ctx->written = ctx->depth;
		return 1;
	}
	ctx->args = c.args;
	ctx->depth++;
	return 0;
}

/* Closes a call: the event of its return is in s.
 *
 *  1. Find the call.
 *  2. Decide whether it is kept. If so, write the open entries up to it.
 *  3. Add its time to the call around it.
 *  4. Count it if it is dropped, or dropped calls are in it.
 *
 * It reports whether to write the event; with ctx->is_dropped as KIND_DROPPED. */
__attribute__((noinline)) int defer_return(struct scratch *s, const struct site *site, __u64 id)
{
	struct open_call *c, *outer;
	struct dropped_calls *d;
	struct call_context *ctx;
	__u64 lasted;
	int keep, written;

	if (!s || !site)
		return 0;
	ctx = &s->context;
	c = ctx->depth > 0 ? call_at(ctx, ctx->depth - 1) : 0;
	if (c && is_returning(s, c)) { /* as nearly always */
		ctx->found = ctx->depth - 1;
		ctx->is_found = 1;
	} else {
		ctx->gone_sp = ctx->sp - 1;
		if (ctx->sp)
			unwind_gone(s);
		ctx->found = ctx->depth;
		find_call(s);
		if (!ctx->is_found) /* its entry was before the recording */
			return site->conds == 0;
		unwind_inner(s);
		c = call_at(ctx, ctx->found);
		if (!c)
			return 0;
	}

	ctx->args = c->args;
	lasted = s->event.event.time_ns - c->time_ns;
	ctx->duration = lasted;
	ctx->held = c->held;
	keep = c->state == CALL_KEPT || (c->state == CALL_UNDECIDED && decide(s, site, id) == COND_KEEP);
	if (keep)
		write_open(s);

	written = ctx->written > ctx->found;
	ctx->depth = ctx->found;
	if (ctx->written > ctx->depth)
		ctx->written = ctx->depth;
	outer = ctx->depth > 0 ? call_at(ctx, ctx->depth - 1) : 0;
	if (c->state == CALL_UNWANTED) {
		count_unmet(site->func, KIND_RETURN);
		if (outer) {
			outer->child_ns += c->child_ns;
			outer->dropped_ns += c->dropped_ns;
		}
		return 0;
	}
	if (outer) {
		outer->child_ns += lasted;
		if (!written)
			outer->dropped_ns += lasted;
	}

	if (keep && c->dropped_ns == 0)
		return 1;
	d = dropped_calls_of(ctx, c->func, c->name);
	if (!d)
		return keep;
	if (keep) {
		__sync_fetch_and_add(&d->inside_ns, c->dropped_ns);
		return 1;
	}
	ctx->is_recursive = 0;
	if (c->below & func_bit(c->func, c->name)) {
		ctx->at = ctx->depth;
		look_outside(s);
	}
	__sync_fetch_and_add(&d->complete, 1);
	__sync_fetch_and_add(&d->sum_ns, lasted);
	__sync_fetch_and_add(&d->self_ns, lasted - c->child_ns);
	if (!ctx->is_recursive)
		__sync_fetch_and_add(&d->total_ns, lasted);
	ctx->is_dropped = written;
	return written;
}

/* Saves the values of the innermost call, whose entry is in s, until the call is decided. Inlined,
 * since before Linux 6.2 a function that is verified by itself cannot store its argument in a
 * map. */
static __always_inline void save_values(struct scratch *s, const struct site *site)
{
	struct call_key key = {
		.thread = s->context.thread, .tgid = s->context.tgid, .depth = s->context.depth - 1};

	if (s->event.bytes > MAX_OPEN_TEXTS)
		cut_texts(s, site);
	s->event.event.kind |= KIND_ARGS;
	bpf_map_update_elem(&open_args, &key, &s->event, 0);
}

/* Handles an event at a deferred site: it is in s. It reports whether to write it; -1 if there was
 * no room. */
static __always_inline int defer_event(struct scratch *s, const struct site *site, __u64 id)
{
	struct thread_key key = {.thread = s->context.thread, .tgid = s->context.tgid};
	struct thread_calls now, *t = bpf_map_lookup_elem(&thread_calls, &key);
	__u32 kind = s->event.event.kind;
	int keep;

	s->context.depth = t ? t->depth : 0;
	s->context.written = t ? t->written : 0;
	s->context.is_found = 0;
	s->context.is_dropped = 0;
	s->context.args = 0;
	s->context.name = 0;
	if (site->flags & SITE_NAMED) {
		s->context.name = s->event.name = name_of(s, site);
		if (kind != KIND_RETURN)
			send_name(s);
	}

	if (kind == KIND_RETURN) {
		keep = defer_return(s, site, id);
		if (s->context.is_found)
			forget_call(&s->context, s->context.depth, s->context.args);
	} else if (kind == KIND_HIT || site->flags & SITE_NO_RETURN) {
		keep = meets_condition(s, site, id);
		if (keep)
			write_open(s);
		else
			count_unmet(site->func, kind);
	} else {
		keep = defer_entry(s, site, id);
		if (s->context.args)
			save_values(s, site);
	}

	now = (struct thread_calls){.depth = s->context.depth, .written = s->context.written};
	if (t && now.depth == 0 && (!watches_ends || s->context.thread & GOROUTINE)) {
		bpf_map_delete_elem(&thread_calls, &key);
	} else if (t) {
		*t = now;
	} else if (now.depth > 0 && bpf_map_update_elem(&thread_calls, &key, &now, BPF_NOEXIST)) {
		forget_call(&s->context, 0, s->context.args); /* the one that begins */
		return -1;
	}
	if (s->context.is_dropped)
		s->event.event.kind = KIND_DROPPED;
	return keep;
}

#endif
