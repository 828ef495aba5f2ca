//go:build linux

package container

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"utrace/record/internal/cgroup"
)

// ID returns an ID of 64 digits.
func id(digit string) string { return strings.Repeat(digit, 64) }

// write makes a state file below root.
func write(t *testing.T, root, path, text string) {
	t.Helper()
	path = filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestRuntimes: the state files of each runtime give a container its names and its pod.
func TestRuntimes(t *testing.T) {
	root := t.TempDir()
	write(t, root, "var/lib/docker/containers/"+id("a")+"/config.v2.json",
		`{"ID":"`+id("a")+`","Name":"/web","Config":{"Labels":{"com.docker.compose.service":"front"}},"State":{"Pid":1}}`)
	write(t, root, tasks+"/moby/"+id("a")+"/config.json", `{"annotations":null,"linux":{}}`)
	write(t, root, tasks+"/k8s.io/"+id("b")+"/config.json",
		`{"annotations":{"io.kubernetes.cri.container-name":"app","io.kubernetes.cri.sandbox-name":"shop-0","io.kubernetes.cri.sandbox-namespace":"prod"}}`)
	write(t, root, tasks+"/default/job/config.json", `{"ociVersion":"1.1.0"}`)
	write(t, root, "var/lib/containers/storage/overlay-containers/containers.json",
		`[{"id":"`+id("c")+`","names":["db"]},{"id":"`+id("d")+`","names":["k8s_cache_redis-1_prod_0a1b_0"]},{"id":5}]`)
	write(t, root, "run/containers/storage/overlay-containers/"+id("e")+"/userdata/config.json",
		`{"annotations":{"io.kubernetes.container.name":"proxy","io.kubernetes.pod.name":"edge","io.kubernetes.pod.namespace":"infra"}}`)

	s := NewState(root)
	for _, c := range []struct {
		group, name, pod string
		is, isNot        []string
	}{
		{group: "/docker/" + id("a"), name: "web", is: []string{"web", id("a"), id("a")[:12]}, isNot: []string{"we", "front", id("a")[:11], ""}},
		{group: "/kubepods/pod00000000-0000-0000-0000-000000000000/" + id("b"), name: "app", pod: "prod/shop-0", is: []string{"app"}},
		{group: "/default/job", name: "job", is: []string{"job"}, isNot: []string{"default"}},
		{group: "/machine.slice/libpod-" + id("c") + ".scope", name: "db", is: []string{"db"}},
		{group: "/kubepods.slice/crio-" + id("d") + ".scope", name: "cache", pod: "prod/redis-1", is: []string{"cache", "k8s_cache_redis-1_prod_0a1b_0"}},
		{group: "/kubepods.slice/crio-" + id("e") + ".scope", name: "proxy", pod: "infra/edge"},
		{group: "/docker/" + id("f"), name: id("f")[:12], is: []string{id("f")}, isNot: []string{"web"}},
	} {
		paths := cgroup.Parse("0::" + c.group + "\n")
		list := s.Of(paths)
		if len(list) != 1 {
			t.Errorf("%s: containers %+v", c.group, list)
			continue
		}
		if name, pod := list[0].Name(), s.Pod(0, paths, list); name != c.name || pod != c.pod {
			t.Errorf("%s: name %q, pod %q, want %q, %q", c.group, name, pod, c.name, c.pod)
		}
		for _, name := range c.is {
			if !list[0].Is(name) {
				t.Errorf("%s is not %q", c.group, name)
			}
		}
		for _, name := range c.isNot {
			if list[0].Is(name) {
				t.Errorf("%s is %q", c.group, name)
			}
		}
	}
	if list := s.Of(cgroup.Parse("0::/default/../etc\n1:cpu:/system.slice/web.service\n")); len(list) > 0 {
		t.Errorf("no containers: %+v", list)
	}
}

// TestLater: a container whose files appear later gets its name then.
func TestLater(t *testing.T) {
	root := t.TempDir()
	s := NewState(root)
	paths := cgroup.Parse("0::/docker/" + id("a") + "\n")
	name := func() string { c := s.Of(paths); return c[0].Name() }
	if got := name(); got != id("a")[:12] {
		t.Errorf("without files: %q", got)
	}
	write(t, root, "var/lib/docker/containers/"+id("a")+"/config.v2.json", `{"Name":"/web"}`)
	if got := name(); got != "web" {
		t.Errorf("with its file: %q", got)
	}
}

// TestPodOfKubelet: the kubelet's directory of logs names the pod of a UID.
func TestPodOfKubelet(t *testing.T) {
	root := t.TempDir()
	const uid = "0a1b2c3d-1111-2222-3333-444455556666"
	write(t, root, "var/log/pods/prod_shop-0_"+uid+"/app/0.log", "")
	write(t, root, "var/log/pods/prod_other_00000000-1111-2222-3333-444455556666/app/0.log", "")
	s := NewState(root)
	paths := cgroup.Parse("0::/kubepods.slice/kubepods-pod" + strings.ReplaceAll(uid, "-", "_") + ".slice/cri-containerd-" + id("a") + ".scope\n")
	if pod := s.Pod(0, paths, s.Of(paths)); pod != "prod/shop-0" {
		t.Errorf("pod %q", pod)
	}
	if pod := s.Pod(0, cgroup.Parse("0::/other\n"), nil); pod != "" {
		t.Errorf("pod %q of a process in none", pod)
	}
}

// TestHostile: files of any other kind, size or content give no names.
func TestHostile(t *testing.T) {
	root := t.TempDir()
	docker := "var/lib/docker/containers/" + id("a") + "/config.v2.json"
	paths := cgroup.Parse("0::/docker/" + id("a") + "\n")
	for what, text := range map[string]string{
		"no JSON": "{", "another type": `{"Name":7}`, "a list": `[]`, "a long name": `{"Name":"/` + strings.Repeat("x", maxName+1) + `"}`,
		"a large file": `{"Name":"/web"}` + strings.Repeat(" ", maxFile),
	} {
		write(t, root, docker, text)
		if c := NewState(root).Of(paths); len(c) != 1 || len(c[0].Names) > 0 {
			t.Errorf("%s: %+v", what, c)
		}
	}

	os.Remove(filepath.Join(root, docker))
	if err := unix.Mkfifo(filepath.Join(root, docker), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := NewState(root).Of(paths); len(c) != 1 || len(c[0].Names) > 0 {
		t.Errorf("a FIFO: %+v", c)
	}
}

func FuzzStateFiles(f *testing.F) {
	f.Add([]byte(`{"Name":"/web","annotations":{"nerdctl/name":"x"}}`))
	f.Add([]byte(`[{"id":"a","names":["k8s_a_b_c_d_0"]}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		root := t.TempDir()
		for _, path := range []string{
			"var/lib/docker/containers/" + id("a") + "/config.v2.json", tasks + "/x/" + id("a") + "/config.json",
			"var/lib/containers/storage/overlay-containers/containers.json",
		} {
			write(t, root, path, string(text))
		}
		list := NewState(root).Of(cgroup.Parse("0::/docker/" + id("a") + "\n"))
		if len(list) != 1 || slices.ContainsFunc(list[0].Names, func(name string) bool { return name == "" || len(name) > maxName }) {
			t.Errorf("%+v", list)
		}
	})
}
