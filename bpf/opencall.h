/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* Open calls: the stack of deferred calls that each thread has. deferred.h says how it is used. */
#ifndef UTRACE_OPENCALL_H
#define UTRACE_OPENCALL_H

#include "lane.h"
#include "loss.h"

/* Defines a function all that repeats a step until the step reports that there is no more. The
 * verifier looks at each function once: two nested loops cost it little, where it would follow
 * every turn of a single one. */
#define REPEATED(all, some, step) \
	__attribute__((noinline)) int some(struct scratch *s) \
	{ \
		for (int i = 0; i < MAX_LOOP; i++) \
			if (!step(s)) \
				return 0; \
		return 1; \
	} \
	__attribute__((noinline)) int all(struct scratch *s) \
	{ \
		for (int i = 0; i < MAX_LOOP; i++) \
			if (!some(s)) \
				return 0; \
		return 1; \
	}

_Static_assert(MAX_LOOP * MAX_LOOP >= MAX_OPEN_CALLS, "one event may end or write all open calls");

/* The counters of a function in the process of ctx; 0 if there is no room. */
static __always_inline struct dropped_calls *dropped_calls_of(struct call_context *ctx, __u32 func, __u64 name)
{
	struct dropped_key key = {.name = name, .func = func, .tgid = ctx->tgid};
	struct dropped_calls none = {}, *d = bpf_map_lookup_elem(&dropped_calls, &key);

	if (!d) {
		bpf_map_update_elem(&dropped_calls, &key, &none, BPF_NOEXIST);
		d = bpf_map_lookup_elem(&dropped_calls, &key);
	}
	if (!d)
		__sync_fetch_and_add(&uncounted_drops, 1);
	return d;
}

/* The call that has so many calls around it; 0 if there is none. */
static __always_inline struct open_call *call_at(struct call_context *ctx, __u32 depth)
{
	struct call_key key = {.thread = ctx->thread, .tgid = ctx->tgid, .depth = depth};

	return bpf_map_lookup_elem(&open_calls, &key);
}

/* Frees the memory of a call that is over. It must not be used any more: it is reused at once. */
static __always_inline void forget_call(struct call_context *ctx, __u32 depth, __u8 args)
{
	struct call_key key = {.thread = ctx->thread, .tgid = ctx->tgid, .depth = depth};

	bpf_map_delete_elem(&open_calls, &key);
	if (args)
		bpf_map_delete_elem(&open_args, &key);
}

/* Removes the innermost call: its return will not be seen. */
static __always_inline void unwind_call(struct call_context *ctx, struct open_call *c)
{
	struct dropped_calls *d;
	struct open_call *outer;

	ctx->depth--;
	if (ctx->depth > 0) {
		outer = call_at(ctx, ctx->depth - 1);
		if (outer) {
			outer->child_ns += c->child_ns;
			outer->dropped_ns += c->dropped_ns;
		}
	}
	if (ctx->written > ctx->depth) {
		ctx->written = ctx->depth;
	} else if (c->state == CALL_UNDECIDED) {
		d = dropped_calls_of(ctx, c->func, c->name);
		if (d)
			__sync_fetch_and_add(&d->incomplete, 1);
	}
	forget_call(ctx, ctx->depth, c->args);
}

/* Unwinds the innermost call if it lies no higher than ctx->gone_sp. It reports whether there may
 * be more. */
__attribute__((noinline)) int unwind_one_gone(struct scratch *s)
{
	struct open_call *c;

	if (!s || s->context.depth == 0)
		return 0;
	c = call_at(&s->context, s->context.depth - 1);
	if (!c) {
		s->context.depth--;
		return 1;
	}
	if (c->sp == 0 || c->sp > s->context.gone_sp)
		return 0;
	unwind_call(&s->context, c);
	return 1;
}

REPEATED(unwind_gone, unwind_some_gone, unwind_one_gone)

/* Unwinds the innermost call unless it is the one at ctx->found. It reports whether there may be
 * more. */
__attribute__((noinline)) int unwind_one_inner(struct scratch *s)
{
	struct open_call *c;

	if (!s || s->context.depth == 0 || s->context.depth - 1 <= s->context.found)
		return 0;
	c = call_at(&s->context, s->context.depth - 1);
	if (c)
		unwind_call(&s->context, c);
	else
		s->context.depth--;
	return 1;
}

REPEATED(unwind_inner, unwind_some_inner, unwind_one_inner)

/* Whether c is the call that returns: the event of the return is in s. */
static __always_inline int is_returning(struct scratch *s, struct open_call *c)
{
	struct call_context *ctx = &s->context;

	return c->func == s->event.event.func && c->name == ctx->name && (ctx->sp == 0 || c->sp == ctx->sp);
}

/* Looks at the next call outwards, and sets ctx->is_found if it is the call that returns. It
 * reports whether to look further. */
__attribute__((noinline)) int find_one_call(struct scratch *s)
{
	struct call_context *ctx;
	struct open_call *c;

	if (!s || s->context.found == 0)
		return 0;
	ctx = &s->context;
	ctx->found--;
	c = call_at(ctx, ctx->found);
	if (!c)
		return 1;
	if (is_returning(s, c)) {
		ctx->is_found = 1;
		return 0;
	}
	return ctx->sp == 0 || c->sp == ctx->sp || c->sp == 0;
}

REPEATED(find_call, find_some_calls, find_one_call)

/* Writes the entry of a call. */
static __always_inline long write_entry(struct call_context *ctx, struct open_call *c, struct call_key *key)
{
	__u32 cpu = ctx->cpu, lap, kind = c->kind | (c->name ? KIND_NAMED : 0);
	struct go_event go;
	struct event *event;
	void *ring;

	if (c->args || c->goid) {
		ring = bpf_map_lookup_elem(&rings, &cpu);
		if (!ring)
			return -1;
		if (c->args) {
			struct open_args *a = bpf_map_lookup_elem(&open_args, key);
			__u64 bytes;

			if (!a)
				return -1;
			bytes = a->event.bytes;
			USE_AS_IS(bytes);
			if (bytes > MAX_OPEN_TEXTS)
				bytes = MAX_OPEN_TEXTS;
			return bpf_ringbuf_output(ring, a, sizeof(a->event) + bytes, BPF_RB_NO_WAKEUP);
		}
		go.event = (struct event){
			.kind = kind,
			.func = c->func,
			.time_ns = c->time_ns,
			.sp = c->goid ? GO_STACK_TOP - c->sp : c->sp,
			.value = c->name ? c->name : c->stack,
			.pid = ctx->tgid,
			.tid = c->tid,
		};
		go.goid = c->goid;
		return bpf_ringbuf_output(ring, &go, sizeof(go), BPF_RB_NO_WAKEUP);
	}
	event = new_event(cpu, &lap);
	if (!event)
		return -1;
	event->func = c->func;
	event->time_ns = c->time_ns;
	event->sp = c->sp;
	event->value = c->name ? c->name : c->stack;
	event->pid = ctx->tgid;
	event->tid = c->tid;
	publish(&event->kind, lap | kind);
	return 0;
}

/* Writes the entry of the outermost call whose entry is not written yet. It reports whether there
 * may be more. */
__attribute__((noinline)) int write_one_open(struct scratch *s)
{
	struct call_key key;
	struct open_call *c;

	if (!s || s->context.written >= s->context.depth)
		return 0;
	key = (struct call_key){
		.thread = s->context.thread, .tgid = s->context.tgid, .depth = s->context.written};
	s->context.written++;
	c = bpf_map_lookup_elem(&open_calls, &key);
	if (c && c->state != CALL_UNWANTED && write_entry(&s->context, c, &key))
		count_loss(s->context.cpu, c->func, c->kind, c->time_ns);
	return 1;
}

REPEATED(write_open, write_some_open, write_one_open)

/* Looks at the next call outwards, at ctx->at, and sets ctx->is_recursive if it is of the function
 * that returns. It reports whether to look further. */
__attribute__((noinline)) int look_one_outside(struct scratch *s)
{
	struct open_call *c;

	if (!s || s->context.at == 0)
		return 0;
	s->context.at--;
	c = call_at(&s->context, s->context.at);
	if (c && c->state != CALL_UNWANTED && c->func == s->event.event.func && c->name == s->context.name) {
		s->context.is_recursive = 1;
		return 0;
	}
	return 1;
}

REPEATED(look_outside, look_some_outside, look_one_outside)

#endif
