/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* The end of a thread, or its exec of another program: its open deferred calls have lasted until
 * then, and return nothing. A call is kept if it would be kept whatever it returned, like a call
 * that is open when the recording stops (decideOpen in record/dropped.go). The calls around it are
 * kept as well: they are open at the thread's end. The others are incomplete. The kernel does not
 * report the ends of goroutines. */
#ifndef UTRACE_THREADEND_H
#define UTRACE_THREADEND_H

#include "opencall.h"
#include "scratch.h"

/* Whether the call is kept if next follows. */
static __always_inline int keeps_at(struct call_context *ctx, __u8 next)
{
	return next == COND_KEEP || (next < MAX_CONDS && ctx->keeps >> next & 1);
}

/* Sets bit i of s->context.keeps if the call is kept once comparison i is reached. A comparison
 * leads only to later ones, so the last is looked at first. */
__attribute__((noinline)) int look_at_comparison(struct scratch *s, const struct site *site, __u32 i)
{
	__u64 lasted, want;
	int yes, no, keeps;

	if (!s || !site || i >= MAX_CONDS || i >= site->conds)
		return 0;
	yes = keeps_at(&s->context, site->cond[i].yes);
	no = keeps_at(&s->context, site->cond[i].no);
	lasted = s->context.duration;
	want = site->cond[i].value;
	if (!site->cond[i].late)
		keeps = s->context.held >> i & 1;
	else if (site->cond[i].op == COND_EQUAL)
		keeps = (lasted == want) != site->cond[i].negate;
	else if (site->cond[i].op == COND_LESS)
		keeps = (lasted < want) != site->cond[i].negate;
	else
		keeps = (lasted <= want) != site->cond[i].negate;
	keeps = keeps ? yes : no;
	if (site->cond[i].late && site->cond[i].arg != COND_DURATION)
		keeps = yes && no;
	if (keeps)
		s->context.keeps |= 1 << i;
	return 0;
}

/* Looks at the next call outwards, at ctx->at, and sets ctx->is_found if it is kept. It reports
 * whether to look further. */
__attribute__((noinline)) int look_at_ended(struct scratch *s)
{
	struct call_context *ctx;
	struct open_call *c;
	struct site *site;
	__u32 at;

	if (!s || s->context.at <= s->context.written)
		return 0;
	ctx = &s->context;
	ctx->at--;
	c = call_at(ctx, ctx->at);
	if (!c || c->state != CALL_UNDECIDED)
		return 1;
	at = c->site;
	site = bpf_map_lookup_elem(&sites, &at);
	if (!site)
		return 1;
	ctx->duration = s->event.event.time_ns - c->time_ns;
	ctx->held = c->held;
	ctx->keeps = 0;
	for (__u32 i = 1; i <= MAX_CONDS; i++)
		look_at_comparison(s, site, MAX_CONDS - i);
	ctx->is_found = ctx->keeps & 1;
	return !ctx->is_found;
}

REPEATED(look_at_all_ended, look_at_some_ended, look_at_ended)

/* Ends the open calls of a thread: finds the innermost call that is kept, writes the entries up to
 * it, and unwinds all. */
static __always_inline void end_calls(__u32 tgid, __u32 tid)
{
	struct thread_key key = {.thread = tid, .tgid = tgid};
	struct thread_calls *t = bpf_map_lookup_elem(&thread_calls, &key);
	__u32 cpu = bpf_get_smp_processor_id(), depth;
	struct open_call *outermost;
	struct scratch *s;
	struct call_context *ctx;

	if (!t)
		return;
	s = take_scratch(cpu);
	if (s) {
		ctx = &s->context;
		s->event.event.time_ns = bpf_ktime_get_ns();
		ctx->thread = tid;
		ctx->tgid = tgid;
		ctx->cpu = cpu;
		ctx->at = ctx->depth = depth = t->depth;
		ctx->written = t->written;
		ctx->is_found = 0;

		look_at_all_ended(s);
		if (ctx->is_found) {
			ctx->depth = ctx->at + 1;
			write_open(s);
			ctx->depth = depth;
		}

		ctx->found = 0;
		unwind_inner(s);
		outermost = call_at(ctx, 0);
		if (outermost)
			unwind_call(ctx, outermost);
		s->busy = 0;
	}
	bpf_map_delete_elem(&thread_calls, &key);
}

/* These two run ahead of on_exec and on_exit, at the same tracepoints: the thread's calls are
 * written before its end. */
SEC("raw_tp/sched_process_exec")
int on_exec_calls(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 former = ctx->args[1];

	if (!enabled)
		return 0;
	end_calls(id >> 32, id);
	if (former != (__u32)id)
		end_calls(id >> 32, former);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int on_exit_calls(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();

	if (enabled)
		end_calls(id >> 32, id);
	return 0;
}

#endif
