/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* Follows calls from their entry to their return, see calls.h: what becomes of each. Included by site.h. */
#ifndef UTRACE_FOLLOW_H
#define UTRACE_FOLLOW_H

#include "calls.h"

static __always_inline __u64 func_bit(__u32 func, __u64 name)
{
	return 1ULL << ((func ^ name ^ (name >> 32)) & 63);
}

/* Makes comparison i, if it is one of the entry. Its outcome goes into memory, where the verifier does not follow it. */
__attribute__((noinline)) int compare_entry(struct scratch *s, const struct site *site, __u32 i, __u64 id)
{
	if (!s || !site || i >= MAX_CONDS)
		return 0;
	if (!site->cond[i].late && compare(s, &site->cond[i], id))
		s->follow.held |= 1 << i;
	return 0;
}

/* Takes the step from comparison f->at to the next: at the return those of the entry count as they were. It reports whether
 * there is one. */
__attribute__((noinline)) int decide_one(struct scratch *s, const struct site *site, __u64 id)
{
	__u32 at;
	int holds;

	if (!s || !site)
		return 0;
	at = s->follow.at;
	if (at >= MAX_CONDS)
		return 0;
	if (!site->cond[at].late)
		holds = s->follow.held >> at & 1;
	else if (site->kind == KIND_RETURN)
		holds = compare(s, &site->cond[at], id);
	else
		return 0;
	s->follow.at = holds ? site->cond[at].yes : site->cond[at].no;
	return 1;
}

/* What the comparisons say: COND_KEEP, COND_DROP, or, at the entry, which one must wait for the return. */
static __always_inline __u32 decide(struct scratch *s, const struct site *site, __u64 id)
{
	if (site->conds == 0)
		return COND_KEEP;
	s->follow.at = 0;
	if (site->kind != KIND_RETURN) {
		s->follow.held = 0;
		for (__u32 i = 0; i < MAX_CONDS; i++) {
			if (i >= site->conds)
				break;
			compare_entry(s, site, i, id);
		}
	}
	for (int n = 0; n < MAX_CONDS; n++) {
		if (!decide_one(s, site, id))
			break;
	}
	return s->follow.at;
}

/* Tells the name that the values of an event make, without the event. */
static __always_inline void tell_name(struct scratch *s)
{
	struct args_event *e = &s->event;
	__u32 cpu = s->follow.cpu, kind = e->event.kind;
	__u64 bytes = e->bytes;
	__u8 told = 1;
	void *ring;

	if (bpf_map_lookup_elem(&names, &e->name))
		return;
	ring = bpf_map_lookup_elem(&rings, &cpu);
	if (!ring)
		return;
	if (bytes > TEXT_BYTES)
		bytes = TEXT_BYTES;
	e->event.kind = KIND_NAME | KIND_NAMED | KIND_ARGS;
	if (!bpf_ringbuf_output(ring, e, sizeof(*e) + bytes, BPF_RB_NO_WAKEUP))
		bpf_map_update_elem(&names, &e->name, &told, 0);
	e->event.kind = kind;
}

/* A call is entered: its event is in s. */
__attribute__((noinline)) int follow_entry(struct scratch *s, const struct site *site, __u64 id)
{
	struct call_key key;
	struct open_call *outer, c;
	struct follow *f;
	__u32 decided;

	if (!s || !site)
		return 0;
	f = &s->follow;
	f->gone = s->event.event.kind == KIND_ENTRY && site->flags & SITE_FUNCTION ? f->sp : f->sp - 1;
	if (f->sp)
		unwind_gone(s);
	decided = decide(s, site, id);
	c = (struct open_call){.sp = f->sp, .name = f->name, .stack = s->event.event.value, .time_ns = s->event.event.time_ns, .func = s->event.event.func, .tid = id, .goid = s->event.goid, .site = f->site,
		.held = f->held, .kind = s->event.event.kind};
	if (decided >= COND_KEEP)
		c.state = decided == COND_KEEP ? CALL_KEPT : CALL_UNWANTED;
	else
		c.args = site->args && !(site->flags & SITE_NAMED);
	outer = f->depth > 0 ? call_at(f, f->depth - 1) : 0;
	if (outer)
		c.below = outer->below | func_bit(outer->func, outer->name);
	key = (struct call_key){.thread = f->thread, .tgid = f->tgid, .depth = f->depth};
	if (bpf_map_update_elem(&open_calls, &key, &c, 0))
		return -1;
	if (decided == COND_DROP) {
		count_unmet(site->func, KIND_ENTRY);
		f->depth++;
		return 0;
	}
	if (decided == COND_KEEP) {
		write_open(s);
		f->depth++;
		f->written = f->depth;
		return 1;
	}
	f->args = c.args;
	f->depth++;
	return 0;
}

/* A call returns: the event is in s. It reports whether to write it; with f->is_dropped as KIND_DROPPED. */
__attribute__((noinline)) int follow_return(struct scratch *s, const struct site *site, __u64 id)
{
	struct open_call *c, *outer;
	struct dropped_calls *d;
	struct follow *f;
	__u64 lasted;
	int keep, written;

	if (!s || !site)
		return 0;
	f = &s->follow;
	c = f->depth > 0 ? call_at(f, f->depth - 1) : 0;
	if (c && is_call(s, c)) { /* as nearly always */
		f->found = f->depth - 1;
		f->is_found = 1;
	} else {
		f->gone = f->sp - 1;
		if (f->sp)
			unwind_gone(s);
		f->found = f->depth;
		find_call(s);
		if (!f->is_found) /* its entry was before the recording */
			return site->conds == 0;
		unwind_inner(s);
		c = call_at(f, f->found);
		if (!c)
			return 0;
	}
	f->args = c->args;
	lasted = s->event.event.time_ns - c->time_ns;
	f->duration = lasted;
	f->held = c->held;
	keep = c->state == CALL_KEPT || (c->state == CALL_UNDECIDED && decide(s, site, id) == COND_KEEP);
	if (keep)
		write_open(s);
	written = f->written > f->found;
	f->depth = f->found;
	if (f->written > f->depth)
		f->written = f->depth;
	outer = f->depth > 0 ? call_at(f, f->depth - 1) : 0;
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
	d = dropped_of(f, c->func, c->name);
	if (!d)
		return keep;
	if (keep) {
		__sync_fetch_and_add(&d->inside_ns, c->dropped_ns);
		return 1;
	}
	f->recursive = 0;
	if (c->below & func_bit(c->func, c->name)) {
		f->at = f->depth;
		look_all_outside(s);
	}
	__sync_fetch_and_add(&d->complete, 1);
	__sync_fetch_and_add(&d->sum_ns, lasted);
	__sync_fetch_and_add(&d->self_ns, lasted - c->child_ns);
	if (!f->recursive)
		__sync_fetch_and_add(&d->total_ns, lasted);
	f->is_dropped = written;
	return written;
}

/* Keeps the values of the innermost call, whose entry is in s, until it is decided. Not a function that the verifier looks at by
 * itself: before Linux 6.2 a scratch that is an argument cannot be the value of a map. */
static __always_inline void keep_values(struct scratch *s, const struct site *site)
{
	struct call_key key = {.thread = s->follow.thread, .tgid = s->follow.tgid, .depth = s->follow.depth - 1};

	if (s->event.bytes > KEPT_TEXT_BYTES)
		cut_texts(s, site);
	s->event.event.kind |= KIND_ARGS;
	bpf_map_update_elem(&open_args, &key, &s->event, 0);
}

/* Follows a call, or what happens in one: its event is in s. It reports whether to write that. */
static __always_inline int follow(struct scratch *s, const struct site *site, __u64 id)
{
	struct thread_key key = {.thread = s->follow.thread, .tgid = s->follow.tgid};
	struct thread_calls now, *t = bpf_map_lookup_elem(&threads_calls, &key);
	__u32 kind = s->event.event.kind;
	int keep;

	s->follow.depth = t ? t->depth : 0;
	s->follow.written = t ? t->written : 0;
	s->follow.is_found = 0;
	s->follow.is_dropped = 0;
	s->follow.args = 0;
	s->follow.name = 0;
	if (site->flags & SITE_NAMED) {
		s->follow.name = s->event.name = name_of(s, site);
		if (kind != KIND_RETURN)
			tell_name(s);
	}
	if (kind == KIND_RETURN) {
		keep = follow_return(s, site, id);
		if (s->follow.is_found)
			forget_call(&s->follow, s->follow.depth, s->follow.args);
	} else if (kind == KIND_HIT || site->flags & SITE_ENDLESS) {
		keep = wanted(s, site, id);
		if (keep)
			write_open(s);
		else
			count_unmet(site->func, kind);
	} else {
		keep = follow_entry(s, site, id);
		if (s->follow.args)
			keep_values(s, site);
	}
	now = (struct thread_calls){.depth = s->follow.depth, .written = s->follow.written};
	if (t && now.depth == 0 && (!ends_told || s->follow.thread & GOROUTINE)) {
		bpf_map_delete_elem(&threads_calls, &key);
	} else if (t) {
		*t = now;
	} else if (now.depth > 0 && bpf_map_update_elem(&threads_calls, &key, &now, BPF_NOEXIST)) {
		forget_call(&s->follow, 0, s->follow.args); /* the one that begins */
		return -1;
	}
	if (s->follow.is_dropped)
		s->event.event.kind = KIND_DROPPED;
	return keep;
}

#endif
