//go:build linux

// Package container knows the names of containers and pods, from the files that container runtimes
// and the kubelet keep. It asks no daemon and starts no program.
//
// The control group of a process has the ID of its container (record/internal/cgroup). These files
// have the names for an ID:
//
//	Docker      /var/lib/docker/containers/ID/config.v2.json
//	containerd  /run/containerd/io.containerd.runtime.v2.task/NAMESPACE/ID/config.json
//	Podman      /var/lib/containers/storage/overlay-containers/containers.json, for a container of a
//	            user that of ~/.local/share/containers/storage
//	CRI-O       the same, and /run/containers/storage/overlay-containers/ID/userdata/config.json
//
// containerd also has containers whose ID is a name, as those of ctr. Their group is /NAMESPACE/ID,
// and there is such a file.
//
// The name of a pod is in these files. Otherwise the kubelet's directory of its logs has it,
// /var/log/pods/NAMESPACE_NAME_UID, for the UID in the control group. Otherwise the kubelet has put
// it into the environment of the processes, as HOSTNAME, and the namespace is in the file of the
// service account that it mounts.
//
// Users can write some of these files. So their size is limited, and no more than names is taken
// from them. A process can give itself any environment: it counts only in the group of a pod.
package container
