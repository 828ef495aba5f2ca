/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* The condition of a site: whether its event is kept. Values that could not be read meet no
 * comparison, nor its opposite. */
#ifndef UTRACE_CONDITION_H
#define UTRACE_CONDITION_H

#include "maps.h"

enum { MATCH_LOOP = 128 }; /* steps of each of two nested loops */

enum matched { MATCH_GOES_ON = 0, MATCH_YES = 1, MATCH_NO = 2 };

/* One step of match_text: compares the next byte of the text and of the pattern. */
__attribute__((noinline)) int match_step(struct scratch *s, const struct cond *c)
{
	struct match *m;
	__u64 j, at;
	char p, t;

	if (!s || !c)
		return MATCH_NO;
	m = &s->match;
	if (m->at >= m->end && m->pattern_at >= c->length)
		return MATCH_YES;
	j = m->pattern_at;
	if (j < c->length && j < MAX_PATTERN) {
		p = c->text[j];
		if (p == '*' && c->op == COND_GLOB) {
			m->star = j;
			m->tried = m->at;
			m->pattern_at = j + 1;
			return MATCH_GOES_ON;
		}
		at = m->at;
		if (at < m->end && at < MAX_TEXTS) {
			t = s->texts[at];
			if (p == t || (p == '?' && c->op == COND_GLOB)) {
				m->at++;
				m->pattern_at++;
				return MATCH_GOES_ON;
			}
		}
	}
	if (m->star >= MAX_PATTERN || m->tried >= m->end)
		return MATCH_NO;
	/* Let the last * match one more byte. */
	m->pattern_at = m->star + 1;
	m->tried++;
	m->at = m->tried;
	return MATCH_GOES_ON;
}

/* Takes as many steps as the verifier follows at once. */
__attribute__((noinline)) int match_some(struct scratch *s, const struct cond *c)
{
	for (int n = 0; n < MATCH_LOOP; n++) {
		int matched = match_step(s, c);

		if (matched)
			return matched;
	}
	return MATCH_GOES_ON;
}

/* Whether the last byte of the text, which is before end, can match. It quickly rules out most host
 * names and paths. */
static __always_inline int ends_alike(struct scratch *s, const struct cond *c, __u64 end, __u32 length)
{
	__u64 last = (__u64)c->length - 1;
	char p;

	USE_AS_IS(last);
	if (length == 0 || last >= MAX_PATTERN)
		return 1;
	p = c->text[last];
	end--;
	USE_AS_IS(end);
	if (c->op == COND_GLOB && (p == '*' || p == '?'))
		return 1;
	return end < MAX_TEXTS && s->texts[end] == p;
}

/* Whether a text matches the text of a comparison. */
__attribute__((noinline)) int match_text(struct scratch *s, const struct cond *c, __u32 from, __u32 length)
{
	if (!s || !c)
		return 0;
	if (c->op == COND_TEXT && length != c->length)
		return 0;
	if (length > MAX_MATCHED)
		length = MAX_MATCHED;
	if (!ends_alike(s, c, from + length, length))
		return 0;
	/* The last * is tried at each byte. */
	s->match = (struct match){.at = from, .end = from + length, .star = MAX_PATTERN};
	for (int n = 0; n <= MAX_MATCHED * (MAX_PATTERN + 1) / MATCH_LOOP; n++) {
		int matched = match_some(s, c);

		if (matched)
			return matched == MATCH_YES;
	}
	return 0;
}

/* Whether a comparison holds. id: tgid and tid. */
__attribute__((noinline)) int compare(struct scratch *s, const struct cond *c, __u64 id)
{
	__u64 v = 0, want;
	int holds = 0;
	__u32 arg;

	if (!s || !c)
		return 0;
	want = c->value;
	arg = c->arg;
	if (arg == COND_PID) {
		v = id >> 32;
	} else if (arg == COND_TID) {
		v = (__u32)id;
	} else if (arg == COND_COMM) {
		char comm[COMM_BYTES] = {};
		__u32 n = 0;

		bpf_get_current_comm(comm, sizeof(comm));
		__builtin_memcpy(s->texts + MAX_TEXTS - COMM_BYTES, comm, sizeof(comm));
		while (n < COMM_BYTES && comm[n])
			n++;
		v = (__u64)(MAX_TEXTS - COMM_BYTES) << 32 | n;
	} else if (arg == COND_DURATION) {
		v = s->context.duration;
	} else if (arg < MAX_ARGS) {
		if (s->event.unreadable >> arg & 1)
			return 0;
		v = s->event.values[arg];
	}
	switch (c->op) {
	case COND_EQUAL:
		holds = v == want;
		break;
	case COND_LESS:
		holds = c->is_signed ? (__s64)v < (__s64)want : v < want;
		break;
	case COND_LESS_OR_EQUAL:
		holds = c->is_signed ? (__s64)v <= (__s64)want : v <= want;
		break;
	case COND_TEXT:
	case COND_GLOB:
		holds = match_text(s, c, v >> 32, v);
		break;
	}
	return holds != (c->negate != 0);
}

/* Whether the event in s meets the condition. */
static __always_inline int meets_condition(struct scratch *s, const struct site *site, __u64 id)
{
	__u32 at = 0;

	if (site->conds == 0)
		return 1;
	for (int n = 0; n < MAX_CONDS; n++) {
		const struct cond *c;

		if (at >= MAX_CONDS)
			break;
		c = &site->cond[at];
		at = compare(s, c, id) ? c->yes : c->no;
	}
	return at == COND_KEEP;
}

/* Counts an event that did not. */
static __always_inline void count_unmet(__u32 func, __u32 kind)
{
	struct func_loss *n = bpf_map_lookup_elem(&unmet, &func);

	if (n)
		__sync_fetch_and_add(kind == KIND_RETURN ? &n->returns : &n->entries, 1);
}

#endif
