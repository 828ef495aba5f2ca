//go:build ignore

// SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0)
/* The programs, by subject. Types are in types.h, maps and variables in maps.h; every other header
 * has the functions and programs of one subject. */
#include "displaced.h"
#include "function.h"
#include "sample.h"
#include "sched.h"
#include "site.h"
#include "socket.h"
#include "task.h"
#include "threadend.h"

char LICENSE[] SEC("license") = "GPL";

/* Types that no map holds: this brings them into the object's BTF, where contract_test.go compares
 * them with the Go code. */
struct contract {
	enum limit limit;
	enum record_kind record_kind;
	enum task_kind task_kind;
	enum arg_from arg_from;
	enum arg_as arg_as;
	enum arg_register arg_register;
	enum cond_op cond_op;
	enum cond_end cond_end;
	enum cond_subject cond_subject;
	enum site_flag site_flag;
	enum call_state call_state;
	struct go_event go_event;
	struct stack_event stack_event;
	struct task task;
};
const struct contract *contract __attribute__((unused));
