//go:build linux

package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"provision/e2e/lab"
)

//go:embed others
var othersFiles embed.FS

// packages are those that provision installs on Debian 13 where the distribution's engine is asked for.
var packages = []string{"docker.io", "docker-cli", "docker-compose", "docker-buildx", "iptables"}

// othersNeed is what Ansible wants to find on a host.
var othersNeed = []string{"python3", "python3-apt"}

// file is one file that a host should have, with its content beside the job.
type file struct {
	Source string `json:"source"`
	Path   string `json:"path"`
	Mode   string `json:"mode"`
}

// job is what the other tools are asked to do: to bring hosts to the state that they are in.
type job struct {
	Packages   []string          `json:"packages"`
	Files      map[string][]file `json:"files"`
	Containers string            `json:"containers"`
}

// others is the other tools, installed, and their job.
type others struct {
	*bench
	site *site
	dir  string
}

func (b *bench) others(s *site) (*others, error) {
	o := &others{b, s, filepath.Join(b.dir, "others")}
	if err := os.CopyFS(b.dir, othersFiles); err != nil {
		return nil, err
	}
	say("installing pyinfra, Ansible and mitogen")
	if out, err := command(b, "python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore",
		"--target", filepath.Join(o.dir, "lib"), "-r", filepath.Join(o.dir, "requirements.txt")).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("the other tools cannot be installed (python3 with pip is needed): %w\n%s", err, last(string(out), 10))
	}
	j := job{packages, map[string][]file{}, "docker ps --no-trunc"}
	for _, h := range s.hosts {
		found, err := o.files(h)
		if err != nil {
			return nil, err
		}
		j.Files[h.Name] = found
	}
	return o, o.write(j)
}

// files fetches the files that the stack has on a host, those with secrets left out.
func (o *others) files(h *lab.Host) (found []file, err error) {
	list, err := h.Shell(o, `find /var/lib/provision/prefect /etc/docker -type f ! -path '*/secrets/*' ! -path '*/salt' -printf '%m %p\n' | sort -k 2`)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(list) {
		mode, path, _ := strings.Cut(strings.TrimSpace(line), " ")
		content, err := h.Exec(o, "cat", path)
		if err != nil {
			return nil, err
		}
		source := filepath.Join(o.dir, "files", h.Name, path)
		if err := os.MkdirAll(filepath.Dir(source), 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(source, []byte(content), 0o600); err != nil {
			return nil, err
		}
		found = append(found, file{source, path, mode})
	}
	if len(found) < 3 {
		return nil, fmt.Errorf("%s has only %d files of the stack", h.Name, len(found))
	}
	return found, nil
}

// write makes the job and both inventories.
func (o *others) write(j job) error {
	ansible, pyinfra := map[string]any{}, []any{}
	for _, h := range o.site.hosts {
		ansible[h.Name] = map[string]any{
			"ansible_host": h.Address, "ansible_user": "root", "ansible_ssh_private_key_file": o.site.IdentityFile, "ansible_python_interpreter": "/usr/bin/python3",
		}
		pyinfra = append(pyinfra, []any{h.Name, map[string]any{
			"ssh_hostname": h.Address, "ssh_user": "root", "ssh_key": o.site.IdentityFile, "ssh_known_hosts_file": o.site.KnownHostsFile, "ssh_strict_host_key_checking": "yes",
		}})
	}
	for name, v := range map[string]any{
		"job.json": j, "ansible.yml": map[string]any{"all": map[string]any{"hosts": ansible, "vars": map[string]any{"job": j}}}, "pyinfra.json": pyinfra,
	} {
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(o.dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(o.dir, "inventory.py"), []byte("import json\nimport pathlib\n\nhosts = [tuple(h) for h in json.loads(pathlib.Path(__file__).with_name(\"pyinfra.json\").read_text())]\n"), 0o600)
}

// python is a run of one of the tools.
func (o *others) python(env []string, args ...string) *exec.Cmd {
	cmd := command(o, "python3", append([]string{"-m"}, args...)...)
	cmd.Dir = o.dir
	cmd.Env = append(append(os.Environ(), "LC_ALL=C.UTF-8", "PYTHONPATH="+filepath.Join(o.dir, "lib"), "HOME="+o.dir, "SSH_AUTH_SOCK=", "BENCH_JOB="+filepath.Join(o.dir, "job.json")), env...)
	return cmd
}

func (o *others) pyinfra() (usage, error) {
	return finish(o.python(nil, "pyinfra", "-y", "inventory.py", "deploy.py"), "Success")
}

// ansible has a directory for its connections that is new for each turn, so that none is there yet.
func (o *others) ansible(env ...string) (usage, error) {
	control, err := os.MkdirTemp("", "bench")
	if err != nil {
		return usage{}, err
	}
	defer os.RemoveAll(control)
	env = append(env, "ANSIBLE_PIPELINING=1", "ANSIBLE_SSH_CONTROL_PATH_DIR="+control, "ANSIBLE_HOME="+filepath.Join(o.dir, "ansible.d"),
		"ANSIBLE_SSH_ARGS=-F none -o ControlMaster=auto -o ControlPersist=20s -o UserKnownHostsFile="+o.site.KnownHostsFile)
	return finish(o.python(env, "ansible", "playbook", "-i", "ansible.yml", "playbook.yml"), "changed=0")
}

func (o *others) mitogen() (usage, error) {
	return o.ansible("ANSIBLE_STRATEGY=mitogen_linear", "ANSIBLE_STRATEGY_PLUGINS="+filepath.Join(o.dir, "lib/ansible_mitogen/plugins/strategy"))
}
