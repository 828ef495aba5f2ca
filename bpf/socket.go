//go:build linux

package bpf

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// socketPrograms are the programs that count calls on sockets, by their tracepoints, see socket.h.
func socketPrograms() map[string]string {
	return map[string]string{utraceProgOnSend: "sock_send_length", utraceProgOnReceive: "sock_recv_length"}
}

// hasSocketTracepoints reports whether a kernel has the tracepoints for calls on sockets.
func hasSocketTracepoints(kernel *btf.Spec) bool {
	for _, tracepoint := range socketPrograms() {
		if types, err := kernel.AnyTypesByName("btf_trace_" + tracepoint); err != nil || len(types) == 0 {
			return false
		}
	}
	return true
}

// prepareSockets leaves out the programs that count calls on sockets where they are not to count.
func prepareSockets(spec *ebpf.CollectionSpec, on bool) {
	for name := range socketPrograms() {
		if !on {
			delete(spec.Programs, name)
		}
	}
}

// watchSockets attaches to the tracepoints of sockets. If it cannot, calls on sockets are not counted,
// and a recording can do without.
func (o *Objects) watchSockets(coll *ebpf.Collection) {
	o.CountsSockets = true
	for name := range socketPrograms() {
		if err := o.attachTracepoint(coll.Programs[name]); err != nil {
			o.CountsSockets = false
		}
	}
}
