//go:build linux

// Package cgroup tells in which control groups a process is, and what they say about it: its unit
// of systemd, its containers and its pod. It reads only /proc/PID/cgroup; nothing here is checked
// against systemd, a container runtime or the kubelet.
//
// A process of cgroup v2 has one path. With v1 it has a path in each hierarchy, and they may differ.
// A selection looks at all of them. For the trace one is chosen: that of v2, that of systemd, or the
// first other one, whichever is the first that is not the root.
//
// Paths are relative to the root of the cgroup namespace of the reader (cgroup_namespaces(7)). In
// a namespace of its own, utrace sees groups outside of that root as "/../…".
package cgroup

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// maxText limits the bytes of /proc/PID/cgroup that are read.
const maxText = 64 << 10

// Paths are the groups of a process, the one for the trace first. The root is left out.
type Paths []string

// Of returns the groups of a process. There are none if it has ended or is in the root only.
func Of(pid int) Paths {
	f, err := os.Open(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, maxText))
	return Parse(string(text))
}

// Parse reads the text of /proc/PID/cgroup: lines HIERARCHY:CONTROLLERS:PATH (cgroups(7)).
func Parse(text string) Paths {
	type group struct {
		path string
		rank int
	}
	var groups []group
	for line := range strings.Lines(text) {
		hierarchy, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		controllers, p, ok := strings.Cut(rest, ":")
		p = strings.TrimSuffix(p, " (deleted)")
		if !ok || !strings.HasPrefix(p, "/") || p == "/" {
			continue
		}
		rank := 2
		switch {
		case hierarchy == "0" && controllers == "":
			rank = 0
		case controllers == "name=systemd":
			rank = 1
		}
		groups = append(groups, group{p, rank})
	}
	slices.SortStableFunc(groups, func(a, b group) int { return cmp.Compare(a.rank, b.rank) })

	var list Paths
	for _, g := range groups {
		if !slices.Contains(list, g.path) {
			list = append(list, g.path)
		}
	}
	return list
}

// Main returns the group for the trace, "" for the root.
func (p Paths) Main() string {
	if len(p) == 0 {
		return ""
	}
	return p[0]
}

// Within reports whether the process is in a group or a group below it. The group is a path of
// Paths, or the same in the file system: /sys/fs/cgroup/…
func (p Paths) Within(group string) bool {
	for _, g := range spellings(group) {
		if g == "/" || slices.ContainsFunc(p, func(own string) bool { return own == g || strings.HasPrefix(own, g+"/") }) {
			return true
		}
	}
	return false
}

// mount is where the hierarchies are mounted: that of v2, or a directory with one for each
// hierarchy of v1.
const mount = "/sys/fs/cgroup"

// spellings returns the paths of /proc/PID/cgroup that a group may mean.
func spellings(group string) []string {
	group = path.Clean("/" + group)
	rest, ok := strings.CutPrefix(group, mount+"/")
	switch {
	case group == mount:
		return []string{"/"}
	case !ok:
		return []string{group}
	}
	list := []string{"/" + rest}
	if hierarchy, below, ok := strings.Cut(rest, "/"); ok && !IsUnit(hierarchy) { // memory/system.slice
		list = append(list, "/"+below)
	}
	return list
}

// unitSuffixes are the kinds of units that have processes, and slices, which have other units
// (systemd.unit(5)).
func unitSuffixes() []string {
	return []string{".service", ".scope", ".socket", ".mount", ".swap", ".slice"}
}

// IsUnit reports whether a name is that of a unit.
func IsUnit(name string) bool {
	return slices.ContainsFunc(unitSuffixes(), func(suffix string) bool {
		return len(name) > len(suffix) && strings.HasSuffix(name, suffix)
	})
}

// InUnit reports whether the process is in a unit of systemd. A name without a suffix is that of a
// service. A slice has the processes of all units in it.
func (p Paths) InUnit(name string) bool {
	if !IsUnit(name) {
		name += ".service"
	}
	return slices.ContainsFunc(p, func(own string) bool { return slices.Contains(strings.Split(own, "/"), name) })
}

// Unit returns the unit of the process, "" if it is in none. For a unit of a user's own manager that
// is this unit, not user@UID.service.
func (p Paths) Unit() string {
	for _, own := range p {
		unit := ""
		for part := range strings.SplitSeq(own, "/") {
			if !IsUnit(part) || strings.HasSuffix(part, ".slice") {
				continue
			}
			if unit != "" && !strings.HasPrefix(unit, "user@") { // inside a container there may be another systemd
				break
			}
			unit = part
		}
		if unit != "" {
			return unit
		}
	}
	return ""
}

// containerID matches the last part of the path of a container's group, as Docker, Podman,
// containerd and CRI-O write it: 64 digits, with systemd as docker-ID.scope, libpod-ID.scope,
// cri-containerd-ID.scope or crio-ID.scope.
var containerID = regexp.MustCompile(`^([a-z][a-z-]*-)?([0-9a-f]{64})(\.scope)?$`)

// Containers returns the IDs of the containers that the process is in, the outermost first. The
// monitor of a container (conmon) is not in it.
func (p Paths) Containers() (ids []string) {
	for _, own := range p {
		for part := range strings.SplitSeq(own, "/") {
			m := containerID.FindStringSubmatch(part)
			if m == nil || strings.HasSuffix(m[1], "conmon-") || slices.Contains(ids, m[2]) {
				continue
			}
			ids = append(ids, m[2])
		}
	}
	return ids
}

// podUID matches the part of a path that is the group of a pod. With systemd the dashes of the UID
// are underscores. That of a static pod is a hash, without dashes.
var podUID = regexp.MustCompile(`^(?:kubepods-(?:[a-z]+-)?)?pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?$`)

// Pod returns the UID of the pod that the process is in, "" if it is in none.
func (p Paths) Pod() string {
	for _, own := range p {
		if !strings.Contains(own, "kubepods") {
			continue
		}
		for part := range strings.SplitSeq(own, "/") {
			if m := podUID.FindStringSubmatch(part); m != nil {
				return strings.ReplaceAll(m[1], "_", "-")
			}
		}
	}
	return ""
}
