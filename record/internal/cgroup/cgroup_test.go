//go:build linux

package cgroup

import (
	"slices"
	"strings"
	"testing"
)

const id = "3f4c2b1a99887766554433221100ffeeddccbbaa00112233445566778899aabb"

// TestParse: paths as runtimes write them, and what they say.
func TestParse(t *testing.T) {
	other := strings.Repeat("ab", 32)
	for _, c := range []struct {
		text       string
		main, unit string
		containers []string
		pod        string
	}{
		{text: "0::/\n"},
		{text: "garbage\n:::\n0::relative\n"},
		{text: "0::/system.slice/nginx.service\n", main: "/system.slice/nginx.service", unit: "nginx.service"},
		{text: "9:name=systemd:/system.slice/cron.service\n4:memory:/limited\n0::/\n", main: "/system.slice/cron.service", unit: "cron.service"},
		{text: "4:memory:/limited\n0::/unified\n9:name=systemd:/\n", main: "/unified"},
		{text: "0::/system.slice/old.service (deleted)\n", main: "/system.slice/old.service", unit: "old.service"},
		{
			text: "0::/user.slice/user-1000.slice/user@1000.service/app.slice/editor.service\n",
			main: "/user.slice/user-1000.slice/user@1000.service/app.slice/editor.service", unit: "editor.service",
		},
		{text: "0::/system.slice/docker-" + id + ".scope\n", main: "/system.slice/docker-" + id + ".scope", unit: "docker-" + id + ".scope", containers: []string{id}},
		{text: "4:memory:/docker/" + id + "\n1:cpu:/docker/" + id + "\n", main: "/docker/" + id, containers: []string{id}},
		{text: "0::/machine.slice/libpod-" + id + ".scope/container\n", main: "/machine.slice/libpod-" + id + ".scope/container", unit: "libpod-" + id + ".scope", containers: []string{id}},
		{text: "0::/machine.slice/libpod-conmon-" + id + ".scope\n", main: "/machine.slice/libpod-conmon-" + id + ".scope", unit: "libpod-conmon-" + id + ".scope"},
		{
			text: "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a1b2c3d_1111_2222_3333_444455556666.slice/cri-containerd-" + id + ".scope\n",
			main: "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a1b2c3d_1111_2222_3333_444455556666.slice/cri-containerd-" + id + ".scope",
			unit: "cri-containerd-" + id + ".scope", containers: []string{id}, pod: "0a1b2c3d-1111-2222-3333-444455556666",
		},
		{
			text: "0::/kubepods/besteffort/pod0a1b2c3d-1111-2222-3333-444455556666/" + id + "\n",
			main: "/kubepods/besteffort/pod0a1b2c3d-1111-2222-3333-444455556666/" + id, containers: []string{id}, pod: "0a1b2c3d-1111-2222-3333-444455556666",
		},
		{ // a node that is a container
			text: "0::/docker/" + other + "/kubelet.slice/kubepods-pod0123456789abcdef0123456789abcdef.slice/crio-" + id + ".scope\n",
			main: "/docker/" + other + "/kubelet.slice/kubepods-pod0123456789abcdef0123456789abcdef.slice/crio-" + id + ".scope",
			unit: "crio-" + id + ".scope", containers: []string{other, id}, pod: "0123456789abcdef0123456789abcdef",
		},
	} {
		p := Parse(c.text)
		if p.Main() != c.main || p.Unit() != c.unit || !slices.Equal(p.Containers(), c.containers) || p.Pod() != c.pod {
			t.Errorf("%q: main %q, unit %q, containers %q, pod %q\nwant %q, %q, %q, %q", c.text,
				p.Main(), p.Unit(), p.Containers(), p.Pod(), c.main, c.unit, c.containers, c.pod)
		}
	}
}

// TestWithin: a group has the processes of the groups below it, but not those of a group whose name
// begins alike.
func TestWithin(t *testing.T) {
	p := Parse("4:memory:/limited/job\n0::/system.slice/web.service\n")
	for group, want := range map[string]bool{
		"/system.slice/web.service": true, "system.slice/web.service/": true, "/system.slice": true, "/": true,
		"/sys/fs/cgroup/system.slice": true, "/sys/fs/cgroup": true, "/sys/fs/cgroup/memory/limited": true,
		"/limited/job": true, "/limited/jo": false, "/system.slice/web": false, "/sys/fs/cgroup/other/slice": false, "/job": false,
	} {
		if p.Within(group) != want {
			t.Errorf("within %s: %t, want %t", group, !want, want)
		}
	}
	for unit, want := range map[string]bool{"web": true, "web.service": true, "system.slice": true, "we": false, "job": false, "web.scope": false} {
		if p.InUnit(unit) != want {
			t.Errorf("in unit %s: %t, want %t", unit, !want, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("0::/system.slice/docker-" + id + ".scope\n")
	f.Fuzz(func(t *testing.T, text string) {
		p := Parse(text)
		p.Unit()
		p.Pod()
		for _, c := range p.Containers() {
			if len(c) != 64 {
				t.Errorf("container %q", c)
			}
		}
	})
}
