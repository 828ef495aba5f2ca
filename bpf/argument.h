/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* The arguments of a site: how they are read into s->event and s->texts. */
#ifndef UTRACE_ARGUMENT_H
#define UTRACE_ARGUMENT_H

#include "maps.h"

/* The value of an argument that could not be fetched. */
#define NOT_FETCHED (~0ULL)

static __always_inline __u64 cut_to_size(__u64 v, __u8 size, __u8 is_signed)
{
	__u32 bits = 64 - 8 * (size & 15);

	if (bits == 0 || bits >= 64)
		return v;
	v <<= bits;
	return is_signed ? (__u64)((__s64)v >> bits) : v >> bits;
}

/* Brings the page of an address into memory. A string is not in memory if nobody has read it since
 * its file was mapped, or since a fork. */
static __always_inline int fault_in(__u64 address)
{
	__u8 byte;

	return may_fault ? bpf_copy_from_user(&byte, sizeof(byte), (void *)address) : -1;
}

/* Reads the bytes of a text; of a string up to its NUL. */
static __always_inline long read_text(void *to, __u64 size, __u64 address, __u8 as)
{
	return as == AS_BYTES ? bpf_probe_read_user(to, size, (void *)address) : bpf_probe_read_user_str(to, size, (void *)address);
}

/* Reads at most 8 bytes. */
static __always_inline int read_memory(__u64 *to, __u64 size, __u64 address)
{
	*to = 0;
	USE_AS_IS(size);
	if (size > sizeof(*to))
		return -1;
	if (!bpf_probe_read_user(to, size, (void *)address))
		return 0;
	return fault_in(address) || bpf_probe_read_user(to, size, (void *)address) ? -1 : 0;
}

static __always_inline __u64 read_register(struct scratch *s, __u8 reg)
{
	return reg < ALL_REGISTERS ? s->regs[reg] : 0;
}

/* Reads the number or address of argument i into s->event.values. This function and others that are
 * not inlined are verified once, by themselves. */
__attribute__((noinline)) int fetch_number(struct scratch *s, const struct arg *arg, __u32 i)
{
	__u64 v, at, index;

	if (!s || !arg || i >= MAX_ARGS)
		return -1;
	if (arg->from == ARG_NOWHERE)
		return -1;
	v = arg->disp;
	if (arg->from == ARG_REGISTER) {
		v = read_register(s, arg->base) >> (arg->shift & 63);
	} else if (arg->from == ARG_MEMORY || arg->from == ARG_ADDRESS) {
		at = read_register(s, arg->base);
		for (int k = 0; k < MAX_DEREFS; k++) {
			if (k >= arg->derefs)
				break;
			if (read_memory(&v, 8, at + arg->deref[k]))
				return -1;
			at = v;
		}
		index = read_register(s, arg->index);
		if (arg->index_low)
			index = cut_to_size(index, 4, arg->index_signed);
		v = at + (index << (arg->shift & 63)) + arg->disp;
		if (arg->from == ARG_MEMORY && read_memory(&v, arg->size & 15, v))
			return -1;
	}
	s->event.values[i] = cut_to_size(v, arg->size, arg->is_signed);
	return 0;
}

/* Reads a text, argument i, into s->texts, after the earlier texts. The address in s->event.values
 * is replaced by the position of the text. It stays if the text is unreadable: 0 is a null one. */
__attribute__((noinline)) int fetch_text(struct scratch *s, const struct arg *arg, __u32 i)
{
	__u64 max, pos, address;
	long n;

	if (!s || !arg || i >= MAX_ARGS)
		return -1;
	address = s->event.values[i];
	pos = (s->event.bytes + 7) & ~7; /* for hash_text */
	max = arg->max;
	if (max == 0 || max > MAX_TEXT)
		max = MAX_TEXT;
	if (pos > MAX_TEXTS - MAX_TEXT) /* no room */
		return -1;

	if (arg->as == AS_BYTES) {
		__u32 l = arg->length_arg;
		__u64 length;

		if (l >= MAX_ARGS)
			return -1;
		length = s->event.values[l];
		if ((__s64)length < 0)
			return -1;
		if (length < max)
			max = length;
	}
	USE_AS_IS(max); /* Linux 6.1 learns nothing from the comparison with length */
	if (max > MAX_TEXT)
		max = MAX_TEXT;

	n = max > 0 ? read_text(s->texts + pos, max, address, arg->as) : 0;
	for (int page = 0; n < 0 && page < MAX_FAULTS; page++) {
		if (fault_in(page ? (address & ~(PAGE_BYTES - 1ULL)) + page * PAGE_BYTES : address))
			break;
		n = read_text(s->texts + pos, max, address, arg->as);
	}
	if (n < 0 || n > MAX_TEXT)
		return -1;
	if (arg->as == AS_BYTES)
		n = max;
	else if (n > 0)
		n--; /* the NUL */
	s->event.values[i] = pos << 32 | n;
	s->event.bytes = pos + n;
	return 0;
}

/* Marks texts as unreadable that do not fit into the first MAX_OPEN_TEXTS bytes. */
__attribute__((noinline)) int cut_texts(struct scratch *s, const struct site *site)
{
	if (!s || !site)
		return 0;
	for (__u32 i = 0; i < MAX_ARGS; i++) {
		__u64 v = s->event.values[i];

		if (i < site->args && site->arg[i].as != AS_NUMBER && (v >> 32) + (__u32)v > MAX_OPEN_TEXTS)
			s->event.unreadable |= 1 << i;
	}
	s->event.bytes = MAX_OPEN_TEXTS;
	return 0;
}

/* Reads all arguments. Each outcome goes into memory at once: otherwise the verifier follows every
 * combination of readable arguments. */
static __always_inline void fetch_args(struct pt_regs *regs, struct scratch *s, const struct site *site)
{
	struct args_event *e = &s->event;

	e->unreadable = 0;
	e->bytes = 0;
	if (site->args == 0)
		return;
#pragma unroll
	for (int i = 0; i < REGISTERS; i++)
		s->regs[i] = ((__u64 *)regs)[i];

	for (__u32 i = 0; i < MAX_ARGS; i++) {
		if (i >= site->args)
			break;
		e->values[i] = NOT_FETCHED;
		if (fetch_number(s, &site->arg[i], i))
			e->unreadable |= 1 << i;
	}

	for (__u32 i = 0; i < MAX_ARGS; i++) {
		if (i >= site->args)
			break;
		if (site->arg[i].as == AS_NUMBER || e->unreadable >> i & 1)
			continue;
		if (fetch_text(s, &site->arg[i], i))
			e->unreadable |= 1 << i;
	}
}

#endif
