/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* Sites with arguments, results or conditions: static probes (USDT), and functions of which more than the
 * time is wanted. What to do at a site is data, an entry of the map sites: how to fetch its arguments, which
 * events to keep, and which of the arguments are the name of a function. Included by utrace.bpf.c. */
#ifndef UTRACE_SITE_H
#define UTRACE_SITE_H

enum {
	MAX_ARGS = 12,
	MAX_CONDS = 16,
	MAX_PATTERN = 64,   /* bytes of a text in a condition */
	MAX_TEXT = 4096,    /* bytes of an argument's text, with its NUL */
	TEXT_BYTES = 12288, /* of the texts of an event; the last MAX_TEXT of them only end one */
	KEPT_TEXT_BYTES = 2048, /* of those of a call that is open */
	MAX_MATCHED = 256,  /* bytes of a text that a glob looks at */
	MAX_NAME = 1024,    /* bytes of a text that count for a name */
	MAX_GATED = 2048,   /* nested calls of which it is known whether they are kept */
	MAX_DEREFS = 3,     /* pointers on the way to an argument */
	SCRATCHES = 4,      /* events that are being made at the same time on a CPU: they can be interrupted */
	COMM_BYTES = 16,
	REGISTERS = sizeof(struct pt_regs) / 8,
};

/* Keeps the compiler from computing something else than what was just checked. */
#define USE_AS_IS(v) asm volatile("" : "+r"(v))

/* Where an argument is. */
enum arg_from {
	ARG_CONSTANT = 0, /* disp */
	ARG_REGISTER = 1, /* base */
	ARG_MEMORY = 2,   /* at an address, which is base; for each of deref what a pointer so far behind it
			   * holds; then + (index << shift) + disp */
	ARG_NOWHERE = 3,  /* it cannot be read */
	ARG_ADDRESS = 4,  /* such an address itself */
};

/* What an argument is. */
enum arg_as {
	AS_NUMBER = 0,
	AS_STRING = 1, /* the address of bytes up to a NUL */
	AS_BYTES = 2,  /* the address of as many bytes as argument length_arg says */
};

enum {
	REGISTER_TLS = REGISTERS,       /* where the thread's own variables are counted from */
	REGISTER_ENTRY = REGISTERS + 1, /* where the entry of the function was probed */
	ALL_REGISTERS,
	NO_REGISTER = 255,
};

struct arg {
	__u8 from;      /* enum arg_from */
	__u8 as;        /* enum arg_as */
	__u8 size;      /* of the number or address: 1, 2, 4 or 8 bytes */
	__u8 is_signed;
	__u8 base, index; /* words of struct pt_regs, or NO_REGISTER */
	__u8 shift;       /* of index; for a register how far its value is shifted to the right, in bits */
	__u8 length_arg;
	__u32 max; /* bytes of a text to fetch, with its NUL, at most MAX_TEXT */
	__u8 index_low; /* only the lower half of the index counts, */
	__u8 index_signed; /* which is signed */
	__u8 derefs;       /* how many of deref there are */
	__u8 reserved;
	__s64 disp;
	__s32 deref[MAX_DEREFS];
	__u32 reserved2;
};

/* One comparison. Its outcome says which one is next, or how the whole condition ends. */
enum cond_op {
	COND_EQUAL = 0,
	COND_LESS = 1,
	COND_LESS_OR_EQUAL = 2,
	COND_TEXT = 3, /* equal to text */
	COND_GLOB = 4, /* matches text, with * and ? */
};
enum { COND_KEEP = 254, COND_DROP = 255 }; /* instead of an index */
enum { COND_PID = 240, COND_TID = 241, COND_COMM = 242, COND_DURATION = 243 }; /* instead of an argument */

struct cond {
	__u8 op;
	__u8 arg;
	__u8 is_signed;
	__u8 length; /* of text */
	__u8 yes, no;
	__u8 late;   /* of the arguments of the return */
	__u8 negate; /* it holds where the comparison does not, but for what could not be read */
	__u64 value;
	char text[MAX_PATTERN];
};

enum {
	SITE_NAMED = 1, /* the arguments of the mask named are the name of a function */
	SITE_GATED = 2, /* what happens to a return was decided at the entry, and only their nesting tells calls apart */
	SITE_KEYED = 4, /* argument key tells calls apart */
	SITE_FRAME = 8, /* the stack pointer is the same where a call begins and where it ends */
	SITE_FUNCTION = 16,   /* a function's entry, or return: value is what it returns */
	SITE_TRAMPOLINE = 32, /* a return by way of the trampoline */
	SITE_PAIRED = 64,     /* as SITE_GATED, where calls are told apart by the stack pointer, or by SITE_KEYED */
	SITE_FOLLOWED = 128,  /* see follow.h; then neither of the two before */
	SITE_ENDLESS = 256,   /* of a function whose return is not seen */
	SITE_THREAD = 512,    /* REGISTER_TLS and REGISTER_ENTRY are wanted at the return */
};

struct site {
	__u32 func;
	__u8 kind; /* enum record_kind */
	__u8 args, conds;
	__u8 key;
	__u16 named;
	__u16 flags;
	__u16 goid; /* see COOKIE_GOID */
	__u16 reserved;
	struct arg arg[MAX_ARGS];
	struct cond cond[MAX_CONDS];
};

/* An event with arguments. Its kind has KIND_ARGS. */
struct args_event {
	struct event event; /* value: that of argument key, or what a function returns */
	__u64 name;         /* with SITE_NAMED what stands for the name from now on, else 0 */
	__u64 goid;         /* as in struct go_event; 0 for none */
	__u16 unreadable;   /* mask of arguments */
	__u8 args;
	__u8 reserved;
	__u32 bytes;            /* of texts */
	__u64 values[MAX_ARGS]; /* of a text: its offset in texts in the upper half, its bytes in the lower */
};

_Static_assert(sizeof(struct arg) == 40, "made by site.go");
_Static_assert(sizeof(struct cond) == 80, "made by site.go");
_Static_assert(sizeof(struct site) == 16 + 12 * 40 + 16 * 80, "made by site.go");
_Static_assert(sizeof(struct args_event) == 160, "read by event.go");

/* Where match_text stands. */
struct match {
	__u32 at, end; /* in texts */
	__u32 pattern_at;
	__u32 star, tried; /* the last * and how far it reaches */
	__u32 reserved;
};

/* What follow.h knows of the thread that the event is of. */
struct follow {
	__u64 thread, sp, name;
	__u64 gone;     /* open calls up to this stack pointer are over */
	__u64 duration; /* of the call that returns */
	__u32 tgid, cpu;
	__u32 depth, written;
	__u32 found, at;
	__u16 held;
	__u32 site;
	__u32 keeps; /* mask of comparisons, see ended.h */
	__u8 is_found, is_dropped, recursive;
	__u8 args; /* the call that begins has values to be kept until it is decided; the one that ends has such */
	__u8 reserved[6];
};

struct scratch {
	__u32 busy;
	__u32 reserved;
	struct follow follow;
	__u64 regs[ALL_REGISTERS];
	struct match match;
	struct args_event event;
	char texts[TEXT_BYTES] __attribute__((aligned(8))); /* follow the event in the ring */
};

/* Set before loading. */
const volatile __u32 tls_offset; /* in struct task_struct of the running kernel, of what REGISTER_TLS is; 0: unknown */
const volatile __u8 may_fault; /* on_site may sleep: a page that is not in memory is brought in */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set before loading */
	__type(key, __u32);
	__type(value, struct site);
} sites SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SCRATCHES); /* for each CPU, set before loading */
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* Where the entries of functions were probed last, in each process: at a return nothing tells where the file is mapped. */
struct entry_key {
	__u32 tgid, func;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct entry_key);
	__type(value, __u64);
} entry_places SEC(".maps");

/* Hits that were not kept, since a condition on arguments was not met: of functions, or spans, by which CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1); /* functions, set before loading */
	__type(key, __u32);
	__type(value, struct func_loss);
} unmet SEC(".maps");

static __always_inline void count_unmet(__u32 func, __u32 kind)
{
	struct func_loss *n = bpf_map_lookup_elem(&unmet, &func);

	if (n)
		__sync_fetch_and_add(kind == KIND_RETURN ? &n->returns : &n->entries, 1);
}

/* A program runs to its end on one CPU, but others may run there in between: each
 * has a scratch of its own. */
static __always_inline struct scratch *take_scratch(__u32 cpu)
{
	for (int i = 0; i < SCRATCHES; i++) {
		__u32 at = cpu * SCRATCHES + i;
		struct scratch *s = bpf_map_lookup_elem(&scratches, &at);

		if (s && !__sync_lock_test_and_set(&s->busy, 1))
			return s;
	}
	return 0;
}

#include "fetch.h"
#include "match.h"
#include "name.h"
#include "gate.h"

/* Sets the registers that are none of the processor's. */
static __always_inline void find_thread(struct pt_regs *regs, struct scratch *s, __u32 kind, struct entry_key key)
{
	__u64 ip = REGS_IP(regs), *last;

	if (kind != KIND_RETURN) {
		last = bpf_map_lookup_elem(&entry_places, &key);
		if (!last || *last != ip)
			bpf_map_update_elem(&entry_places, &key, &ip, 0);
		return;
	}
	s->regs[REGISTER_TLS] = s->regs[REGISTER_ENTRY] = 0;
	bpf_probe_read_kernel(&s->regs[REGISTER_TLS], 8, (void *)(bpf_get_current_task() + tls_offset));
	last = bpf_map_lookup_elem(&entry_places, &key);
	if (last)
		s->regs[REGISTER_ENTRY] = *last;
}

#include "follow.h"
#include "ended.h"

/* Puts the event of a site, in a scratch, where the recorder reads it: with its arguments into the
 * ring, without into the lane. */
static __always_inline long put_site(__u32 cpu, struct scratch *s, const struct site *site)
{
	struct args_event *e = &s->event;
	__u64 bytes = e->bytes;
	__u32 kind = e->event.kind, lap;
	int plain = site->args == 0 && e->goid == 0;
	__u8 told = 1;
	void *ring;
	long err;

	if (site->flags & SITE_NAMED) {
		e->name = e->event.value = name_of(s, site);
		kind |= KIND_NAMED;
		plain = bpf_map_lookup_elem(&names, &e->name) != 0;
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
	if (bytes > TEXT_BYTES)
		bytes = TEXT_BYTES;
	err = bpf_ringbuf_output(ring, e, sizeof(*e) + bytes, BPF_RB_NO_WAKEUP);
	if (!err && e->name && site->kind != KIND_RETURN) /* the line of a return is not that of the function */
		bpf_map_update_elem(&names, &e->name, &told, 0);
	return err;
}

SEC("uprobe.multi")
int on_site(struct pt_regs *regs)
{
	__u64 id = bpf_get_current_pid_tgid(), now = 0, sp = 0, value = 0, goid = 0;
	struct kept_key key;
	__u32 at, cpu, kind;
	struct site *site;
	struct scratch *s;
	int keep, late; /* the time is taken when the condition is met: most calls are dropped, and it costs them the most */

	if (!enabled || !recorded(id >> 32))
		return 0;
	at = bpf_get_attach_cookie(regs);
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
	key = (struct kept_key){.thread = goid ? goid | GOROUTINE : (__u32)id, .sp = sp, .func = site->func, .tgid = id >> 32};
	if (site->flags & SITE_PAIRED && !(site->flags & SITE_KEYED) && kind == KIND_RETURN && !paired(kind, &key, 0)) {
		count_unmet(site->func, kind);
		return 0;
	}
	late = !limited && site->conds > 0 && kind != KIND_RETURN && !(site->flags & SITE_FOLLOWED);
	if (!limited && !late)
		now = bpf_ktime_get_ns();
	if (!goid && !(site->flags & SITE_KEYED)) /* else the call is of no thread */
		see(id);
	cpu = bpf_get_smp_processor_id();
	s = take_scratch(cpu);
	if (!s) {
		count_loss(cpu, site->func, kind, late ? bpf_ktime_get_ns() : now);
		return 0;
	}
	s->event.event = (struct event){.kind = kind, .func = site->func, .time_ns = now, .sp = sp, .value = value, .pid = id >> 32, .tid = id};
	s->event.goid = goid;
	s->event.name = 0;
	s->event.args = site->args;
	if (site->flags & SITE_THREAD)
		find_thread(regs, s, kind, (struct entry_key){.tgid = id >> 32, .func = site->func});
	fetch_args(regs, s, site);
	if (site->flags & SITE_KEYED) {
		__u32 k = site->key;

		if (k < MAX_ARGS)
			s->event.event.value = s->event.values[k];
	}
	if (follow_calls && site->flags & SITE_FOLLOWED) {
		if (kind == KIND_ENTRY && site->flags & SITE_FUNCTION)
			s->event.event.kind = kind = entry_kind(regs);
		s->follow.thread = key.thread;
		s->follow.tgid = key.tgid;
		s->follow.sp = goid ? GO_STACK_TOP - sp : sp;
		s->follow.cpu = cpu;
		s->follow.site = at;
		keep = follow(s, site, id);
		if (keep < 0)
			count_loss(cpu, site->func, kind, now);
		if (keep > 0 && put_site(cpu, s, site))
			count_loss(cpu, site->func, kind, now);
		s->busy = 0;
		return 0;
	}
	keep = wanted(s, site, id);
	if (kind == KIND_ENTRY && site->flags & SITE_FUNCTION) {
		if (!keep && site->flags & SITE_PAIRED && !bpf_map_lookup_elem(&kept_calls, &key)) { /* as nearly always */
			count_unmet(site->func, kind);
			s->busy = 0;
			return 0;
		}
		s->event.event.kind = kind = entry_kind(regs);
	}
	if (site->flags & SITE_GATED)
		keep = gated(site, id, keep);
	if (site->flags & SITE_KEYED) {
		key.thread = 0; /* it may end on another one */
		key.sp = s->event.event.value;
	}
	if (site->flags & SITE_PAIRED && (kind != KIND_RETURN || site->flags & SITE_KEYED))
		keep = paired(kind, &key, keep);
	if (!keep)
		count_unmet(site->func, kind);
	if (keep && late)
		s->event.event.time_ns = now = bpf_ktime_get_ns();
	if (keep && put_site(cpu, s, site))
		count_loss(cpu, site->func, kind, now);
	s->busy = 0;
	return 0;
}

#endif
