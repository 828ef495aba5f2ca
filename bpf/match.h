/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* Whether the event of a site is to be kept. Included by site.h. */
#ifndef UTRACE_MATCH_H
#define UTRACE_MATCH_H

enum { STEPS_AT_ONCE = 128 };

enum matched { MATCH_GOES_ON = 0, MATCH_YES = 1, MATCH_NO = 2 };

/* One step of match_text: the next byte of the text and of the pattern. */
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
		if (at < m->end && at < TEXT_BYTES) {
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
	/* The last * takes one byte more. */
	m->pattern_at = m->star + 1;
	m->tried++;
	m->at = m->tried;
	return MATCH_GOES_ON;
}

/* As many steps as the verifier follows at once. */
__attribute__((noinline)) int match_some(struct scratch *s, const struct cond *c)
{
	for (int n = 0; n < STEPS_AT_ONCE; n++) {
		int matched = match_step(s, c);

		if (matched)
			return matched;
	}
	return MATCH_GOES_ON;
}

/* Whether the last byte of a text, which ends there, can be that of what matches: it tells most host names and paths that do not. */
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
	return end < TEXT_BYTES && s->texts[end] == p;
}

/* Whether a text matches that of a condition. */
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
	s->match = (struct match){.at = from, .end = from + length, .star = MAX_PATTERN};
	for (int n = 0; n <= MAX_MATCHED * (MAX_PATTERN + 1) / STEPS_AT_ONCE; n++) { /* the last * is tried at each byte */
		int matched = match_some(s, c);

		if (matched)
			return matched == MATCH_YES;
	}
	return 0;
}

/* Whether a comparison holds. Of what could not be read none does, nor its opposite. */
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
		__builtin_memcpy(s->texts + TEXT_BYTES - COMM_BYTES, comm, sizeof(comm));
		while (n < COMM_BYTES && comm[n])
			n++;
		v = (__u64)(TEXT_BYTES - COMM_BYTES) << 32 | n;
	} else if (arg == COND_DURATION) {
		v = s->follow.duration;
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

/* Whether the event in s is to be kept. */
static __always_inline int wanted(struct scratch *s, const struct site *site, __u64 id)
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

#endif
