/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* Sites with arguments: static probes (USDT). What to do at a site is data, an entry of the
 * map sites: how to fetch its arguments, which events to keep, and which of
 * the arguments are the name of a function. Included by utrace.bpf.c. */
#ifndef UTRACE_STATIC_H
#define UTRACE_STATIC_H

enum {
	MAX_ARGS = 12,
	MAX_CONDS = 16,
	MAX_PATTERN = 64,   /* bytes of a text in a condition */
	MAX_TEXT = 4096,    /* bytes of an argument's text, with its NUL */
	TEXT_BYTES = 12288, /* of the texts of an event; the last MAX_TEXT of them only end one */
	MAX_MATCHED = 256,  /* bytes of a text that a glob looks at */
	MAX_NAME = 1024,    /* bytes of a text that count for a name */
	MAX_GATED = 2048,   /* nested calls of which it is known whether they are kept */
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
	ARG_MEMORY = 2,   /* base + (index << shift) + disp */
	ARG_NOWHERE = 3,  /* it cannot be read */
};

/* What an argument is. */
enum arg_as {
	AS_NUMBER = 0,
	AS_STRING = 1, /* the address of bytes up to a NUL */
	AS_BYTES = 2,  /* the address of as many bytes as argument length_arg says */
};

enum { NO_REGISTER = 255 };

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
	__u8 reserved[2];
	__s64 disp;
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
enum { COND_PID = 240, COND_TID = 241, COND_COMM = 242 }; /* instead of an argument */

struct cond {
	__u8 op;
	__u8 arg;
	__u8 is_signed;
	__u8 length; /* of text */
	__u8 yes, no;
	__u8 reserved[2];
	__u64 value;
	char text[MAX_PATTERN];
};

enum {
	SITE_NAMED = 1, /* the arguments of the mask named are the name of a function */
	SITE_GATED = 2, /* what happens to a return was decided at the entry */
	SITE_KEYED = 4, /* argument key tells calls apart */
	SITE_FRAME = 8, /* the stack pointer is the same where a call begins and where it ends */
};

struct site {
	__u32 func;
	__u8 kind; /* enum record_kind */
	__u8 args, conds;
	__u8 flags;
	__u16 named;
	__u8 key;
	__u8 reserved[5];
	struct arg arg[MAX_ARGS];
	struct cond cond[MAX_CONDS];
};

/* An event with arguments. Its kind has KIND_ARGS. */
struct args_event {
	struct event event; /* value: that of argument key */
	__u64 name;         /* with SITE_NAMED what stands for the name from now on, else 0 */
	__u16 unreadable;   /* mask of arguments */
	__u8 args;
	__u8 reserved;
	__u32 bytes;            /* of texts */
	__u64 values[MAX_ARGS]; /* of a text: its offset in texts in the upper half, its bytes in the lower */
};

_Static_assert(sizeof(struct arg) == 24, "made by site.go");
_Static_assert(sizeof(struct cond) == 80, "made by site.go");
_Static_assert(sizeof(struct site) == 16 + 12 * 24 + 16 * 80, "made by site.go");
_Static_assert(sizeof(struct args_event) == 152, "read by event.go");

/* Where match_text stands. */
struct match {
	__u32 at, end; /* in texts */
	__u32 pattern_at;
	__u32 star, tried; /* the last * and how far it reaches */
	__u32 reserved;
};

struct scratch {
	__u32 busy;
	__u32 reserved;
	__u64 regs[REGISTERS];
	struct match match;
	struct args_event event;
	char texts[TEXT_BYTES] __attribute__((aligned(8))); /* follow the event in the ring */
};

/* Open calls of a thread, a bit each from the outermost on: whether their entries were kept. */
struct gate {
	__u64 depth;
	__u64 kept[MAX_GATED / 64];
};

struct gate_key {
	__u32 tid, func;
};

/* Set before loading. */
const volatile __u64 name_seed;
const volatile __u8 may_fault; /* on_static may sleep: a page that is not in memory is brought in */

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

/* The names that have been told. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u8);
} names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct gate_key);
	__type(value, struct gate);
} gates SEC(".maps");

/* A gate of no calls: too large for a program's stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gate);
} no_gate SEC(".maps");

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

/* Mixes up to MAX_NAME bytes into a hash. The seed is a secret of the recording: what a traced
 * program chooses to call its functions cannot be made to collide. */
__attribute__((noinline)) __u64 hash_text(struct scratch *s, __u32 from, __u32 length, __u64 hash)
{
	__u32 i;

	if (!s)
		return 0;
	if (length > MAX_NAME)
		length = MAX_NAME;
	hash ^= length;
	for (i = 0; i < MAX_NAME; i += 8) {
		__u64 at = from + i, word;
		__u32 left;

		USE_AS_IS(at);
		if (i >= length || at > TEXT_BYTES - 8)
			break;
		word = *(__u64 *)(s->texts + (at & ~7ULL));
		left = length - i;
		if (left < 8)
			word &= (1ULL << (8 * left)) - 1;
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
		hash = (hash ^ name_seed) * 0xd6e8feb86659fd93ULL;
		hash ^= hash >> 29;
	}
	return hash;
}

/* Has the end of a call share what was decided at its entry. Calls that are nested too deeply are dropped. */
static __always_inline int gated(const struct site *site, __u64 id, int keep)
{
	struct gate_key key = {.tid = id, .func = site->func};
	struct gate *gate = bpf_map_lookup_elem(&gates, &key);
	__u64 depth, bit, at;

	if (site->kind == KIND_RETURN) {
		if (!gate || gate->depth == 0)
			return 0;
		depth = --gate->depth;
	} else {
		if (!gate) {
			__u32 zero = 0;
			struct gate *none = bpf_map_lookup_elem(&no_gate, &zero);

			if (!none)
				return 0;
			bpf_map_update_elem(&gates, &key, none, BPF_NOEXIST);
			gate = bpf_map_lookup_elem(&gates, &key);
			if (!gate)
				return 0;
		}
		depth = gate->depth++;
	}
	at = depth / 64;
	USE_AS_IS(at);
	if (at >= MAX_GATED / 64)
		return 0;
	bit = 1ULL << (depth & 63);
	if (site->kind == KIND_RETURN)
		return (gate->kept[at] & bit) != 0;
	if (keep)
		gate->kept[at] |= bit;
	else
		gate->kept[at] &= ~bit;
	return keep;
}

/* What stands for the name that the arguments make: a hash of the bytes as they are now, on every
 * call. Nothing is remembered by address, where another name may lie by then. */
static __always_inline __u64 name_of(struct scratch *s, const struct site *site)
{
	__u64 hash = name_seed ^ site->func;

	for (int i = 0; i < MAX_ARGS; i++) {
		__u64 v;

		if (i >= site->args)
			break;
		if (!(site->named >> i & 1))
			continue;
		v = s->event.values[i];
		if (s->event.unreadable >> i & 1)
			hash = hash * 31 + 1;
		else if (site->arg[i].as == AS_NUMBER)
			hash = (hash ^ v) * 0x9e3779b97f4a7c15ULL;
		else
			hash = hash_text(s, v >> 32, v, hash);
	}
	return hash ? hash : 1;
}

/* Puts the event of a site, in a scratch, where the recorder reads it: with its arguments into the
 * ring, without into the lane. */
static __always_inline long put_static(__u32 cpu, struct scratch *s, const struct site *site)
{
	struct args_event *e = &s->event;
	__u64 bytes = e->bytes;
	__u32 kind = site->kind, lap;
	int plain = site->args == 0;
	__u8 told = 1;
	void *ring;
	long err;

	e->name = 0;
	if (site->flags & SITE_NAMED) {
		e->name = e->event.value = name_of(s, site);
		kind |= KIND_NAMED;
		plain = bpf_map_lookup_elem(&names, &e->name) != 0;
	}
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
int on_static(struct pt_regs *regs)
{
	__u64 id = bpf_get_current_pid_tgid(), now;
	__u32 at, cpu;
	struct site *site;
	struct scratch *s;
	int keep;

	if (!enabled || !recorded(id >> 32))
		return 0;
	at = bpf_get_attach_cookie(regs);
	site = bpf_map_lookup_elem(&sites, &at);
	if (!site)
		return 0;
	now = bpf_ktime_get_ns();
	if (limited && !count_hit(id >> 32, site->func, site->kind))
		return 0;
	if (!(site->flags & SITE_KEYED)) /* else a call is of no thread */
		see(id);
	cpu = bpf_get_smp_processor_id();
	s = take_scratch(cpu);
	if (!s) {
		count_loss(cpu, site->func, site->kind, now);
		return 0;
	}
	s->event.event = (struct event){.func = site->func, .time_ns = now, .pid = id >> 32, .tid = id};
	s->event.args = site->args;
	fetch_args(regs, s, site);
	if (site->flags & SITE_FRAME)
		s->event.event.sp = REGS_SP(regs);
	if (site->flags & SITE_KEYED) {
		__u32 key = site->key;

		if (key < MAX_ARGS)
			s->event.event.value = s->event.values[key];
	}
	keep = wanted(s, site, id);
	if (site->flags & SITE_GATED)
		keep = gated(site, id, keep);
	if (keep && put_static(cpu, s, site))
		count_loss(cpu, site->func, site->kind, now);
	s->busy = 0;
	return 0;
}

#endif
