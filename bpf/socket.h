/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
/* Calls that send to or receive from sockets: a measure of what servers do. The programs are loaded
 * only for an overhead limit, and where the kernel has the tracepoints (Linux 6.3). */
#ifndef UTRACE_SOCKET_H
#define UTRACE_SOCKET_H

#include "maps.h"

static __always_inline int count_socket_call(void)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct process_use *use;

	if (!enabled)
		return 0;
	use = bpf_map_lookup_elem(&process_uses, &tgid);
	if (use)
		__sync_fetch_and_add(&use->socket_calls, 1);
	return 0;
}

SEC("tp_btf/sock_send_length")
int on_send(void *args)
{
	return count_socket_call();
}

SEC("tp_btf/sock_recv_length")
int on_receive(void *args)
{
	return count_socket_call();
}

#endif
