/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* The calls of a thread that ends, or executes another program: they have lasted until then, and return nothing. One is kept if it
 * would be whatever it returned, as one that is open when the recording stops (decideOpen in record/dropped.go), and so are those
 * around it: they are open at the thread's end. The others are incomplete. Of goroutines the kernel tells no end.
 * Included by site.h. */
#ifndef UTRACE_ENDED_H
#define UTRACE_ENDED_H

static __always_inline int keeps_after(struct follow *f, __u8 next)
{
	return next == COND_KEEP || (next < MAX_CONDS && f->keeps >> next & 1);
}

/* Sets bit i of f->keeps if the call is kept where comparison i is come to. Comparisons lead only on, so the last is the first to be
 * looked at. */
__attribute__((noinline)) int look_at_comparison(struct scratch *s, const struct site *site, __u32 i)
{
	__u64 lasted, want;
	int yes, no, keeps;

	if (!s || !site || i >= MAX_CONDS || i >= site->conds)
		return 0;
	yes = keeps_after(&s->follow, site->cond[i].yes);
	no = keeps_after(&s->follow, site->cond[i].no);
	lasted = s->follow.duration;
	want = site->cond[i].value;
	if (!site->cond[i].late)
		keeps = s->follow.held >> i & 1;
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
		s->follow.keeps |= 1 << i;
	return 0;
}

/* Looks at the call inside of which f->at is, from the innermost on. It reports whether to look further: 0 with f->is_found or
 * not. */
__attribute__((noinline)) int look_at_ended(struct scratch *s)
{
	struct follow *f;
	struct open_call *c;
	struct site *site;
	__u32 at;

	if (!s || s->follow.at <= s->follow.written)
		return 0;
	f = &s->follow;
	f->at--;
	c = call_at(f, f->at);
	if (!c || c->state != CALL_UNDECIDED)
		return 1;
	at = c->site;
	site = bpf_map_lookup_elem(&sites, &at);
	if (!site)
		return 1;
	f->duration = s->event.event.time_ns - c->time_ns;
	f->held = c->held;
	f->keeps = 0;
	for (__u32 i = 1; i <= MAX_CONDS; i++)
		look_at_comparison(s, site, MAX_CONDS - i);
	f->is_found = f->keeps & 1;
	return !f->is_found;
}

REPEATED(look_at_all_ended, look_at_some_ended, look_at_ended)

/* Ends the open calls of a thread. */
static __always_inline void end_calls(__u32 tgid, __u32 tid)
{
	struct thread_key key = {.thread = tid, .tgid = tgid};
	struct thread_calls *t = bpf_map_lookup_elem(&threads_calls, &key);
	__u32 cpu = bpf_get_smp_processor_id(), depth;
	struct open_call *outermost;
	struct scratch *s;
	struct follow *f;

	if (!t)
		return;
	s = take_scratch(cpu);
	if (s) {
		f = &s->follow;
		s->event.event.time_ns = bpf_ktime_get_ns();
		f->thread = tid;
		f->tgid = tgid;
		f->cpu = cpu;
		f->at = f->depth = depth = t->depth;
		f->written = t->written;
		f->is_found = 0;
		look_at_all_ended(s);
		if (f->is_found) {
			f->depth = f->at + 1;
			write_open(s);
			f->depth = depth;
		}
		f->found = 0;
		unwind_inner(s);
		outermost = call_at(f, 0);
		if (outermost)
			unwind(f, outermost);
		s->busy = 0;
	}
	bpf_map_delete_elem(&threads_calls, &key);
}

/* At the same tracepoints as on_exec and on_exit, ahead of them: what is written is of the thread that they tell the end of. */
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
