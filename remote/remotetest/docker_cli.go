package remotetest

import "provision/remote/remotetest/unix"

func dockerdMain(p *proc) int {
	o := p.Anywhere("", "", map[string]string{"validate": "v", "version": "V", "config-file": "c:"})
	if !o.Has("V") && !o.Has("v") {
		p.Unsupported("dockerd in the foreground")
	}
	p.Printf("configuration OK\n")
	return 0
}

const noDaemon = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"

// dockerMain is the docker client.
func dockerMain(p *proc) int {
	args := p.Argv[1:]
	if len(args) == 0 {
		p.Unsupported("docker without a command")
	}
	verb := args[0]
	args = args[1:]
	switch verb {
	case "container", "image", "network", "volume", "system", "builder", "buildx":
		if len(args) == 0 {
			p.Unsupported("docker " + verb + " without a command")
		}
		verb, args = verb+" "+args[0], args[1:]
	}
	d := p.host.docker
	if verb == "compose" {
		return composeMain(p, args)
	}
	if p.Cred.UID != 0 {
		p.Errorf("permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock\n")
		return 1
	}
	c, ok := p.host.fleet.docker[verb]
	if !ok {
		p.Unsupported("docker " + verb)
	}
	o := p.Parse(args, c.flags, c.valued, c.long, !c.plain)
	d.mu.Lock()
	running := d.running
	d.mu.Unlock()
	if !running && verb != "version" && verb != "info" && verb != "buildx version" {
		switch verb {
		case "run":
			p.Errorf("docker: %s.\nSee 'docker run --help'.\n", noDaemon)
			return 125
		case "build":
			p.Errorf("ERROR: %s\n", noDaemon)
			return 1
		}
		p.Errorf("%s\n", noDaemon)
		return 1
	}
	return c.run(p, o)
}

// dockerCommand is one command of the client with the options that are simulated.
type dockerCommand struct {
	flags, valued string
	long          map[string]string
	plain         bool // options only before the first operand
	run           func(*proc, unix.Parsed) int
}

func dockerCommands() map[string]dockerCommand {
	list := map[string]string{"all": "a", "quiet": "q", "no-trunc": "N", "filter": "f:", "format": "F:", "last": "n:"}
	format := map[string]string{"format": "f:", "type": "t:", "size": "s"}
	run := map[string]string{
		"rm": "R", "detach": "d", "interactive": "i", "tty": "t", "name": "name:", "network": "net:", "net": "net:", "volume": "v:", "mount": "mount:", "env": "e:",
		"user": "u:", "entrypoint": "entrypoint:", "read-only": "ro", "tmpfs": "tmpfs:", "cap-drop": "cap-drop:", "cap-add": "cap-add:", "label": "l:", "workdir": "w:", "init": "init",
		"security-opt": "sec:", "pull": "pull:", "restart": "restart:", "publish": "p:", "hostname": "h:", "pids-limit": "pids:", "log-driver": "logd:", "stop-timeout": "st:",
		"health-cmd": "hc:", "health-interval": "hi:", "privileged": "priv", "add-host": "addhost:", "quiet": "q", "sysctl": "sysctl:", "ulimit": "ulimit:",
	}
	m := map[string]dockerCommand{
		"version": {"", "f:", format, false, dockerVersion}, "info": {"", "f:", format, false, dockerInfo}, "system info": {"", "f:", format, false, dockerInfo},
		"ps":      {"aq", "f:n:", list, false, dockerPs},
		"inspect": {"s", "f:", format, false, dockerInspect}, "container inspect": {"s", "f:", format, false, dockerContainerInspect},
		"image inspect": {"", "f:", format, false, dockerImageInspect}, "network inspect": {"v", "f:", format, false, dockerNetworkInspect}, "volume inspect": {"", "f:", format, false, dockerVolumeInspect},
		"pull": {"q", "", map[string]string{"quiet": "q", "platform": "P:"}, false, dockerPull}, "tag": {"", "", nil, false, dockerTag},
		"load":     {"q", "i:", map[string]string{"input": "i:", "quiet": "q"}, false, func(p *proc, o unix.Parsed) int { o.Value["input"] = o.Value["i"]; return dockerLoad(p, o) }},
		"image ls": {"aq", "f:", list, false, dockerImages}, "image rm": {"f", "", map[string]string{"force": "f", "no-prune": "P"}, false, dockerRmi},
		"image prune": {"af", "", map[string]string{"all": "a", "force": "f", "filter": "F:"}, false, dockerPrune}, "builder prune": {"af", "", map[string]string{"all": "a", "force": "f", "filter": "F:", "keep-storage": "k:"}, false, func(*proc, unix.Parsed) int { return 0 }},
		"build":          {"q", "t:f:", map[string]string{"tag": "t:", "build-arg": "build-arg:", "pull": "P", "quiet": "q", "progress": "progress:", "no-cache": "N", "network": "network:", "file": "f:", "label": "label:"}, false, dockerBuild},
		"run":            {"dit", "v:e:u:l:w:p:h:", run, true, dockerRun},
		"exec":           {"itd", "u:w:e:", map[string]string{"interactive": "i", "tty": "t", "detach": "d", "user": "u:", "workdir": "w:", "env": "e:", "privileged": "P"}, true, dockerExec},
		"stop":           {"", "t:s:", map[string]string{"time": "t:", "timeout": "t:", "signal": "s:"}, false, dockerStop},
		"start":          {"", "", nil, false, dockerStart},
		"restart":        {"", "t:", map[string]string{"time": "t:", "timeout": "t:"}, false, dockerRestart},
		"kill":           {"", "s:", map[string]string{"signal": "s:"}, false, dockerKill},
		"rm":             {"fv", "", map[string]string{"force": "f", "volumes": "v"}, false, dockerRm},
		"logs":           {"tf", "n:", map[string]string{"tail": "n:", "timestamps": "t", "since": "since:"}, false, dockerLogs},
		"network create": {"d", "d:", map[string]string{"driver": "d:", "subnet": "subnet:", "gateway": "gateway:", "internal": "internal", "label": "label:", "opt": "opt:", "ipv6": "ipv6", "attachable": "attachable"}, false, dockerNetworkCreate},
		"network ls":     {"q", "f:", list, false, dockerNetworks}, "network rm": {"f", "", map[string]string{"force": "f"}, false, dockerNetworkRm},
		"network connect": {"", "", map[string]string{"alias": "alias:", "ip": "ip:"}, false, dockerConnect}, "network disconnect": {"f", "", map[string]string{"force": "f"}, false, dockerDisconnect},
		"volume create": {"d", "o:", map[string]string{"label": "label:", "name": "name:", "driver": "d:", "opt": "o:"}, false, dockerVolumeCreate},
		"volume ls":     {"q", "f:", list, false, dockerVolumes}, "volume rm": {"f", "", map[string]string{"force": "f"}, false, dockerVolumeRm},
		"buildx version": {"", "", nil, false, func(p *proc, _ unix.Parsed) int { p.Printf("github.com/docker/buildx 0.13.1\n"); return 0 }},
	}
	m["container ls"], m["images"], m["rmi"] = m["ps"], m["image ls"], m["image rm"]
	for _, v := range []string{"run", "exec", "stop", "start", "restart", "kill", "rm", "logs"} {
		m["container "+v] = m[v]
	}
	m["image pull"], m["image tag"], m["image load"], m["image build"] = m["pull"], m["tag"], m["load"], m["build"]
	return m
}

// daemonError prints the engine's refusal.
func (p *proc) daemonError(format string, args ...any) int {
	p.Errorf("Error response from daemon: "+format+"\n", args...)
	return 1
}

func dockerVersion(p *proc, o unix.Parsed) int {
	d := p.host.docker
	client := struct{ Version, APIVersion, Os, Arch string }{p.host.packageVersion("docker client"), p.host.apiVersion(), "linux", p.host.debArch()}
	d.mu.Lock()
	running := d.running
	d.mu.Unlock()
	format, ok := o.Value["f"]
	if !ok {
		p.Printf("Client:\n Version:           %s\n", client.Version)
		if running {
			p.Printf("\nServer:\n Engine:\n  Version:          %s\n", p.host.packageVersion("docker engine"))
		}
	} else if running {
		server := client
		server.Version = p.host.packageVersion("docker engine")
		text, err := inspected(format, map[string]any{"Client": client, "Server": server})
		if err != nil {
			p.Errorf("%v\n", err)
			return 64
		}
		p.Printf("%s\n", text)
	} else {
		p.Printf("\n")
	}
	if !running {
		p.Errorf("%s\n", noDaemon)
		return 1
	}
	return 0
}

type addressPool struct {
	Base string
	Size int
}

// plugin is a plugin of the client.
type plugin struct{ Name, Version string }

// engineInfo is what docker info tells. Without an engine only what the client knows is in it.
type engineInfo struct {
	LoggingDriver, Driver, ServerVersion, OperatingSystem, Architecture, Name, DockerRootDir, CgroupDriver, HTTPProxy, HTTPSProxy, NoProxy string
	LiveRestoreEnabled                                                                                                                     bool
	DefaultAddressPools                                                                                                                    []addressPool
	SecurityOptions                                                                                                                        []string
	NCPU, Containers                                                                                                                       int
	MemTotal                                                                                                                               int64
	ClientInfo                                                                                                                             struct{ Plugins []plugin }
}

func dockerInfo(p *proc, o unix.Parsed) int {
	d := p.host.docker
	d.mu.Lock()
	running, settings := d.running, d.settings
	containers := len(d.containers)
	d.mu.Unlock()
	format, given := o.Value["f"]
	if !given {
		p.Unsupported("docker info without --format")
	}
	var plugins []plugin
	if v := p.host.buildxVersion(); v != "" {
		plugins = append(plugins, plugin{"buildx", v})
	}
	if v := p.host.packageVersion("docker compose"); v != "" {
		plugins = append(plugins, plugin{"compose", v})
	}
	info := engineInfo{
		LoggingDriver: "json-file", Driver: "overlay2", ServerVersion: p.host.packageVersion("docker engine"), OperatingSystem: p.host.family().pretty,
		Architecture: p.host.options.Arch, Name: p.host.name, DockerRootDir: "/var/lib/docker", CgroupDriver: "systemd", NCPU: 4, Containers: containers,
		MemTotal: int64(p.host.options.MemoryMiB) << 20,
	}
	if !running {
		info, settings = engineInfo{}, nil
	}
	info.ClientInfo.Plugins = plugins
	if v, ok := settings["log-driver"].(string); ok {
		info.LoggingDriver = v
	}
	info.SecurityOptions = []string{"name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"}
	if v, _ := settings["userns-remap"].(string); v != "" {
		info.SecurityOptions = append(info.SecurityOptions, "name=userns")
	}
	if on, _ := settings["selinux-enabled"].(bool); on {
		info.SecurityOptions = append(info.SecurityOptions, "name=selinux")
	}
	info.LiveRestoreEnabled, _ = settings["live-restore"].(bool)
	if pools, ok := settings["default-address-pools"].([]any); ok {
		for _, v := range pools {
			if m, ok := v.(map[string]any); ok {
				base, _ := m["base"].(string)
				size, _ := m["size"].(float64)
				info.DefaultAddressPools = append(info.DefaultAddressPools, addressPool{base, int(size)})
			}
		}
	}
	if m, ok := settings["proxies"].(map[string]any); ok {
		info.HTTPProxy, _ = m["http-proxy"].(string)
		info.HTTPSProxy, _ = m["https-proxy"].(string)
		info.NoProxy, _ = m["no-proxy"].(string)
	}
	text, err := inspected(format, info)
	if err != nil {
		p.Errorf("%v\n", err)
		return 1
	}
	p.Printf("%s\n", text)
	if !running {
		p.Errorf("%s\n", noDaemon) // and yet the real one ends with 0
	}
	return 0
}
