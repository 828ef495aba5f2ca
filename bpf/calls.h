/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* Calls that are followed from their entry to their return, where a condition can only be decided at the return: on what the
 * function returns, or how long it took. Then all sites are followed, as the entry of a call that is kept is
 * written late, and what happens in a thread must stay in its order:
 *
 *  1. A thread has a stack of open calls, paired by the stack pointer as the analyzer pairs them.
 *  2. Before anything of the thread is written, so are the entries of the open calls around it: what has been written is the
 *     outer part of the stack.
 *  3. A call that is not kept leaves its number and time behind, by function and process (dropped). If its entry has been
 *     written, for something inside that is kept, its return is written as KIND_DROPPED.
 *
 *  4. A call that is over leaves nothing else behind, nor does a thread that is over, or a goroutine without open calls: they come and go,
 *     and one that is blocked for long must find its calls again. So none of the maps here forgets by itself.
 *
 *  5. Where a thread ends, or executes another program, its calls are over: they have lasted until then, see ended.h.
 *
 * What is decided and written is in follow.h, which includes this. */
#ifndef UTRACE_CALLS_H
#define UTRACE_CALLS_H

enum {
	MAX_OPEN_CALLS = 65536,
	STEPS = 256, /* of them, of which the square is as many as there can be: an event may end all, or have all written */
};

/* Defines a function that repeats a step until that reports that there are no more. The verifier looks at each function
 * once, so two loops cost it little, where one would have it follow every step. */
#define REPEATED(all, some, step) \
	__attribute__((noinline)) int some(struct scratch *s) \
	{ \
		for (int i = 0; i < STEPS; i++) \
			if (!step(s)) \
				return 0; \
		return 1; \
	} \
	__attribute__((noinline)) int all(struct scratch *s) \
	{ \
		for (int i = 0; i < STEPS; i++) \
			if (!some(s)) \
				return 0; \
		return 1; \
	}

/* Where the top of every goroutine's stack is put, so that stack pointers fall with the depth there, too. */
#define GO_STACK_TOP (1ULL << 40)

/* Set before loading. */
const volatile __u8 follow_calls;
const volatile __u8 ends_told; /* on_exit_calls forgets threads */

/* Calls that found no room among dropped. */
volatile __u64 uncounted_drops;

struct thread_key {
	__u64 thread; /* or goroutine */
	__u32 tgid;
	__u32 reserved;
};

struct thread_calls {
	__u32 depth;
	__u32 written; /* of them, from the outermost on */
};

/* Those that have open calls, and threads that have had some: their ends are told, and they mostly have some again. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct thread_key);
	__type(value, struct thread_calls);
} threads_calls SEC(".maps");

struct call_key {
	__u64 thread;
	__u32 tgid;
	__u32 depth;
};

enum call_state {
	CALL_UNDECIDED = 0,
	CALL_KEPT = 1,
	CALL_UNWANTED = 2, /* its entry did not meet the condition: as if it were not there */
};

struct open_call {
	__u64 sp;   /* on the stack of a goroutine counted from GO_STACK_TOP */
	__u64 name;  /* of SITE_NAMED */
	__u64 stack; /* of callers, see stack.h; 0 if none is wanted */
	__u64 time_ns;
	__u64 child_ns;   /* of the calls in it that are complete */
	__u64 dropped_ns; /* those of them of which nothing is written */
	__u64 below;      /* a bit for each function that is open around it, some share one */
	__u64 goid;
	__u32 func;
	__u32 tid;
	__u32 site; /* of its entry, in sites */
	__u16 held; /* mask of the comparisons of its entry that held */
	__u8 kind;
	__u8 state;
	__u8 args; /* it has values, in open_args: not if it was decided at its entry */
	__u8 reserved[7];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_OPEN_CALLS);
	__type(key, struct call_key);
	__type(value, struct open_call);
} open_calls SEC(".maps");

struct open_args {
	struct args_event event;
	char texts[KEPT_TEXT_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct call_key);
	__type(value, struct open_args);
} open_args SEC(".maps");

struct dropped_key {
	__u64 name;
	__u32 func, tgid;
};

/* Calls of a function that were not kept. */
struct dropped_calls {
	__u64 complete;
	__u64 incomplete; /* without a return */
	__u64 sum_ns;     /* of the complete ones */
	__u64 total_ns;   /* without those inside of a call of the same function */
	__u64 self_ns;    /* without the calls in them */
	__u64 inside_ns;  /* another thing: of calls not kept, directly inside of those of this function that were */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct dropped_key);
	__type(value, struct dropped_calls);
} dropped SEC(".maps");

_Static_assert(STEPS * STEPS >= MAX_OPEN_CALLS, "no call is passed over");
_Static_assert(sizeof(struct open_call) == 88, "read by calls.go");
_Static_assert(sizeof(struct dropped_calls) == 48, "read by calls.go");

static __always_inline struct dropped_calls *dropped_of(struct follow *f, __u32 func, __u64 name)
{
	struct dropped_key key = {.name = name, .func = func, .tgid = f->tgid};
	struct dropped_calls none = {}, *d = bpf_map_lookup_elem(&dropped, &key);

	if (!d) {
		bpf_map_update_elem(&dropped, &key, &none, BPF_NOEXIST);
		d = bpf_map_lookup_elem(&dropped, &key);
	}
	if (!d)
		__sync_fetch_and_add(&uncounted_drops, 1);
	return d;
}

static __always_inline struct open_call *call_at(struct follow *f, __u32 depth)
{
	struct call_key key = {.thread = f->thread, .tgid = f->tgid, .depth = depth};

	return bpf_map_lookup_elem(&open_calls, &key);
}

/* Frees the places of a call that is over. It is the last thing to do with it: they are taken again at once. */
static __always_inline void forget_call(struct follow *f, __u32 depth, __u8 args)
{
	struct call_key key = {.thread = f->thread, .tgid = f->tgid, .depth = depth};

	bpf_map_delete_elem(&open_calls, &key);
	if (args)
		bpf_map_delete_elem(&open_args, &key);
}

/* Takes the innermost call off the stack: its return will not be seen. */
static __always_inline void unwind(struct follow *f, struct open_call *c)
{
	struct dropped_calls *d;
	struct open_call *outer;

	f->depth--;
	if (f->depth > 0) {
		outer = call_at(f, f->depth - 1);
		if (outer) {
			outer->child_ns += c->child_ns;
			outer->dropped_ns += c->dropped_ns;
		}
	}
	if (f->written > f->depth) {
		f->written = f->depth;
	} else if (c->state == CALL_UNDECIDED) {
		d = dropped_of(f, c->func, c->name);
		if (d)
			__sync_fetch_and_add(&d->incomplete, 1);
	}
	forget_call(f, f->depth, c->args);
}

/* Ends the innermost call if it lies no higher than f->gone. It reports whether there may be more. */
__attribute__((noinline)) int unwind_one(struct scratch *s)
{
	struct open_call *c;

	if (!s || s->follow.depth == 0)
		return 0;
	c = call_at(&s->follow, s->follow.depth - 1);
	if (!c) {
		s->follow.depth--;
		return 1;
	}
	if (c->sp == 0 || c->sp > s->follow.gone)
		return 0;
	unwind(&s->follow, c);
	return 1;
}

REPEATED(unwind_gone, unwind_some_gone, unwind_one)

/* Ends the innermost call unless it is the one at f->found. */
__attribute__((noinline)) int unwind_to(struct scratch *s)
{
	struct open_call *c;

	if (!s || s->follow.depth == 0 || s->follow.depth - 1 <= s->follow.found)
		return 0;
	c = call_at(&s->follow, s->follow.depth - 1);
	if (c)
		unwind(&s->follow, c);
	else
		s->follow.depth--;
	return 1;
}

REPEATED(unwind_inner, unwind_some_inner, unwind_to)

/* Whether it is the call that returns, whose event is in s. */
static __always_inline int is_call(struct scratch *s, struct open_call *c)
{
	struct follow *f = &s->follow;

	return c->func == s->event.event.func && c->name == f->name && (f->sp == 0 || c->sp == f->sp);
}

/* Looks at the call at f->found, from the innermost on. It reports whether to look further: 0 with f->is_found or not. */
__attribute__((noinline)) int find_one(struct scratch *s)
{
	struct follow *f;
	struct open_call *c;

	if (!s || s->follow.found == 0)
		return 0;
	f = &s->follow;
	f->found--;
	c = call_at(f, f->found);
	if (!c)
		return 1;
	if (is_call(s, c)) {
		f->is_found = 1;
		return 0;
	}
	return f->sp == 0 || c->sp == f->sp || c->sp == 0;
}

REPEATED(find_call, find_among_some, find_one)

/* Writes the entry of a call. */
static __always_inline long put_call(struct follow *f, struct open_call *c, struct call_key *key)
{
	__u32 cpu = f->cpu, lap, kind = c->kind | (c->name ? KIND_NAMED : 0);
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
			if (bytes > KEPT_TEXT_BYTES)
				bytes = KEPT_TEXT_BYTES;
			return bpf_ringbuf_output(ring, a, sizeof(a->event) + bytes, BPF_RB_NO_WAKEUP);
		}
		go.event = (struct event){.kind = kind, .func = c->func, .time_ns = c->time_ns, .sp = c->goid ? GO_STACK_TOP - c->sp : c->sp, .value = c->name ? c->name : c->stack, .pid = f->tgid, .tid = c->tid};
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
	event->pid = f->tgid;
	event->tid = c->tid;
	publish(&event->kind, lap | kind);
	return 0;
}

/* Writes the entry of the outermost call of which it has not been. It reports whether there may be more. */
__attribute__((noinline)) int write_one(struct scratch *s)
{
	struct call_key key;
	struct open_call *c;

	if (!s || s->follow.written >= s->follow.depth)
		return 0;
	key = (struct call_key){.thread = s->follow.thread, .tgid = s->follow.tgid, .depth = s->follow.written};
	s->follow.written++;
	c = bpf_map_lookup_elem(&open_calls, &key);
	if (c && c->state != CALL_UNWANTED && put_call(&s->follow, c, &key))
		count_loss(s->follow.cpu, c->func, c->kind, c->time_ns);
	return 1;
}

REPEATED(write_open, write_some_open, write_one)

/* Looks for a call of the same function around the one that has just been found, with f->at. */
__attribute__((noinline)) int look_outside(struct scratch *s)
{
	struct open_call *c;

	if (!s || s->follow.at == 0)
		return 0;
	s->follow.at--;
	c = call_at(&s->follow, s->follow.at);
	if (c && c->state != CALL_UNWANTED && c->func == s->event.event.func && c->name == s->follow.name) {
		s->follow.recursive = 1;
		return 0;
	}
	return 1;
}

REPEATED(look_all_outside, look_some_outside, look_outside)

#endif
