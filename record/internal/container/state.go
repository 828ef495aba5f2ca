//go:build linux

package container

import (
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"utrace/record/internal/cgroup"
	"utrace/record/internal/proc"
)

// Limits of what is read and kept.
const (
	maxFile       = 4 << 20 // bytes of a state file; larger ones are ignored
	maxKnown      = 4096    // containers
	maxNamespaces = 64      // of containerd
	maxPods       = 16384   // directories of logs
	maxName       = 256     // bytes; longer names are ignored
)

// ShortID is how many digits of an ID identify a container, as docker ps prints them.
const ShortID = 12

// Container is a container that has files of a runtime, or at least a control group.
type Container struct {
	ID    string
	Names []string // the runtime's own name first; may be empty
	Pod   string   // NAMESPACE/NAME, "" if it is in none
}

// Name returns the name of a container, or its short ID if no file has a name.
func (c *Container) Name() string {
	if len(c.Names) > 0 {
		return c.Names[0]
	}
	return c.ID[:min(len(c.ID), ShortID)]
}

// Is reports whether a container has a name, or an ID that begins with these digits, at least
// ShortID of them.
func (c *Container) Is(nameOrID string) bool {
	return c.ID == nameOrID || len(nameOrID) >= ShortID && strings.HasPrefix(c.ID, nameOrID) || slices.Contains(c.Names, nameOrID)
}

// State finds containers in the files of their runtimes. It remembers them: a container keeps its
// names. Only one goroutine at a time may use it.
type State struct {
	root  string
	known map[string]Container   // by ID
	lists map[string]storageList // by path
}

// NewState returns a State for the files below a root directory, which is "/" except in tests.
func NewState(root string) *State {
	return &State{root: root, known: map[string]Container{}, lists: map[string]storageList{}}
}

// Of returns the containers of a process with these control groups, the outermost first.
func (s *State) Of(paths cgroup.Paths) (list []Container) {
	for _, id := range paths.Containers() {
		list = append(list, s.find(id, paths))
	}
	if len(list) > 0 {
		return list
	}
	for _, p := range paths {
		if c, ok := s.named(p); ok {
			return []Container{c}
		}
	}
	return nil
}

// Pod returns NAMESPACE/NAME of the pod of a process with these control groups and containers, ""
// if it is in none or the name is unknown.
func (s *State) Pod(pid int, paths cgroup.Paths, containers []Container) string {
	for _, c := range slices.Backward(containers) {
		if c.Pod != "" {
			return c.Pod
		}
	}
	uid := paths.Pod()
	if uid == "" {
		return ""
	}
	if pod := s.podOfLogs(uid); pod != "" {
		return pod
	}
	return podOfEnvironment(pid)
}

// find returns the container with an ID.
func (s *State) find(id string, paths cgroup.Paths) Container {
	if c, ok := s.known[id]; ok {
		return c
	}
	c := Container{ID: id}
	s.addDocker(&c)
	s.addContainerd(&c)
	s.addStorage(&c, paths)
	if len(c.Names) == 0 && c.Pod == "" { // the file may be written soon
		return c
	}
	if len(s.known) >= maxKnown {
		clear(s.known)
	}
	s.known[id] = c
	return c
}

// addName adds a name of a container.
func (c *Container) addName(name string) {
	if name != "" && len(name) <= maxName && !slices.Contains(c.Names, name) {
		c.Names = append(c.Names, name)
	}
}

// setPod sets the pod of a container.
func (c *Container) setPod(namespace, name string) {
	if c.Pod == "" && namespace != "" && name != "" && len(namespace)+len(name) < 2*maxName {
		c.Pod = namespace + "/" + name
	}
}

// addDocker adds what Docker knows.
func (s *State) addDocker(c *Container) {
	var config struct {
		Name   string
		Config struct{ Labels map[string]string }
	}
	if s.read(&config, "var/lib/docker/containers", c.ID, "config.v2.json") != nil {
		return
	}
	c.addName(strings.TrimPrefix(config.Name, "/"))
	labels := config.Config.Labels
	c.addName(labels["io.kubernetes.container.name"])
	c.setPod(labels["io.kubernetes.pod.namespace"], labels["io.kubernetes.pod.name"])
}

// tasks are the directories of containerd's containers, by namespace.
const tasks = "run/containerd/io.containerd.runtime.v2.task"

// runtimeConfig is the part of an OCI runtime's config.json that has names: annotations of
// containerd's CRI plugin, of nerdctl, and of CRI-O.
type runtimeConfig struct {
	Annotations map[string]string
}

func (r *runtimeConfig) addTo(c *Container) {
	for _, key := range []string{"nerdctl/name", "io.kubernetes.cri.container-name", "io.kubernetes.container.name"} {
		c.addName(r.Annotations[key])
	}
	c.setPod(r.Annotations["io.kubernetes.cri.sandbox-namespace"], r.Annotations["io.kubernetes.cri.sandbox-name"])
	c.setPod(r.Annotations["io.kubernetes.pod.namespace"], r.Annotations["io.kubernetes.pod.name"])
}

// addContainerd adds what containerd knows.
func (s *State) addContainerd(c *Container) {
	for _, namespace := range names(filepath.Join(s.root, tasks), maxNamespaces) {
		var config runtimeConfig
		if s.read(&config, tasks, namespace, c.ID, "config.json") == nil {
			config.addTo(c)
			return
		}
	}
}

// runtimeName is what containerd accepts as an ID or namespace, except for the length.
var runtimeName = regexp.MustCompile(`^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$`)

// named returns the container of containerd whose control group is /NAMESPACE/ID.
func (s *State) named(group string) (Container, bool) {
	namespace, id := filepath.Base(filepath.Dir(group)), filepath.Base(group)
	if !runtimeName.MatchString(namespace) || !runtimeName.MatchString(id) {
		return Container{}, false
	}
	c := Container{ID: id, Names: []string{id}}
	var config runtimeConfig
	if s.read(&config, tasks, namespace, id, "config.json") != nil {
		return Container{}, false
	}
	config.addTo(&c)
	return c, true
}

// storageList is a containers.json as it was when it was last read.
type storageList struct {
	modified time.Time
	names    map[string][]string // by ID
}

// userSlice matches the part of a path that says whose processes are below it.
var userSlice = regexp.MustCompile(`/user-([0-9]+)\.slice/`)

// addStorage adds what Podman and CRI-O know: root's, or a user's in whose slice the container is.
func (s *State) addStorage(c *Container, paths cgroup.Paths) {
	dirs := []string{"var/lib/containers/storage"}
	for _, p := range paths {
		if m := userSlice.FindStringSubmatch(p); m != nil {
			if u, err := user.LookupId(m[1]); err == nil {
				dirs = append(dirs, filepath.Join(u.HomeDir, ".local/share/containers/storage"))
			}
			break
		}
	}
	for _, dir := range dirs {
		for _, driver := range []string{"overlay", "vfs", "btrfs"} {
			for _, name := range s.storageNames(filepath.Join(dir, driver+"-containers", "containers.json"))[c.ID] {
				c.addStorageName(name)
			}
		}
	}
	var config runtimeConfig
	if s.read(&config, "run/containers/storage/overlay-containers", c.ID, "userdata/config.json") == nil {
		config.addTo(c)
	}
}

// addStorageName adds a name of containers.json. CRI-O's are k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT.
func (c *Container) addStorageName(name string) {
	if parts := strings.Split(name, "_"); len(parts) == 6 && parts[0] == "k8s" {
		c.addName(parts[1])
		c.setPod(parts[3], parts[2])
	}
	c.addName(name)
}

// storageNames returns the names in a containers.json by ID. It reads the file again if that has
// changed.
func (s *State) storageNames(path string) map[string][]string {
	info, err := os.Stat(filepath.Join(s.root, path))
	if err != nil {
		return nil
	}
	if list, ok := s.lists[path]; ok && list.modified.Equal(info.ModTime()) {
		return list.names
	}
	var entries []struct {
		ID    string
		Names []string
	}
	list := storageList{modified: info.ModTime(), names: map[string][]string{}}
	s.read(&entries, path) // an error leaves the entries that can be read
	for _, e := range entries {
		list.names[e.ID] = e.Names
	}
	s.lists[path] = list
	return list.names
}

// podOfLogs returns the pod with a UID, by the name of the kubelet's directory for its logs.
func (s *State) podOfLogs(uid string) string {
	for _, dir := range names(filepath.Join(s.root, "var/log/pods"), maxPods) {
		parts := strings.Split(dir, "_")
		if len(parts) == 3 && parts[2] == uid {
			return parts[0] + "/" + parts[1]
		}
	}
	return ""
}

// serviceAccount is where the kubelet mounts the namespace of a pod.
const serviceAccount = "var/run/secrets/kubernetes.io/serviceaccount/namespace"

// podOfEnvironment returns the pod of a process by what the kubelet gives to its containers.
func podOfEnvironment(pid int) string {
	name := (&proc.Invocation{Env: proc.Environ(pid)}).Variable("HOSTNAME")
	f, err := proc.OpenInRoot(fmt.Sprintf("/proc/%d/root", pid), serviceAccount, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return ""
	}
	defer f.Close()
	text, err := proc.ReadRegular(f, maxFile)
	namespace := strings.TrimSpace(string(text))
	if err != nil || name == "" || namespace == "" || len(name)+len(namespace) > maxName {
		return ""
	}
	return namespace + "/" + name
}

// names returns the names in a directory, at most some.
func names(dir string, most int) []string {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	list, _ := f.Readdirnames(most)
	return list
}

// read reads a JSON file below the root directory.
func (s *State) read(into any, path ...string) error {
	text, err := readFile(filepath.Join(append([]string{s.root}, path...)...))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// readFile reads a regular file of at most maxFile bytes.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a FIFO has perhaps no writer
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return proc.ReadRegular(f, maxFile)
}
