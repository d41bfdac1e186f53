package files

import (
	"strconv"

	"provision/files/naming"
)

var caddyPart = Part{
	Name: "caddy", Role: naming.RoleServer, Title: "Caddy", UID: CaddyUID, Image: ImageCaddy, Entrance: true,
	Networks: []naming.Network{naming.ServerNetwork},
	Volumes:  []PartVolume{{naming.CaddyVolume, "/data"}},
	Secrets:  "caddy", // not AtStart: a changed file is taken by a reload, or at the next request
	Calls:    []Call{{Part: "server"}},
	Note:     noted("the UI and the API are away for some seconds; agents ask again"),
	Define: func(in Input, site publicURL) (service, error) {
		port := strconv.Itoa(int(site.port))
		s := service{
			Command: []string{"caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"},
			Environment: overlay(proxyEnvironment(in.Proxy, in.NoProxy, "server"), map[string]string{
				"XDG_DATA_HOME":   "/data",
				"XDG_CONFIG_HOME": "/tmp",
				"HEALTH_URL":      site.scheme + "://" + site.hostPart(),
				"HEALTH_CONNECT":  "127.0.0.1:" + port,
			}),
			// The ports inside are those outside, so that agents on the same host reach it under the same url; they are low ones, and no capability is left.
			Sysctls: map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"},
			Ports:   []published{{Target: int(site.port), Published: port, Protocol: "tcp"}},
			Volumes: []mount{bind(in.Stack.RoleDir(naming.RoleServer)+"/caddy", "/etc/caddy")},
			Tmpfs:   []string{"/run/caddy:uid=" + CaddyUID + ",gid=" + CaddyUID + ",mode=0700"},
			HealthCheck: &healthCheck{
				Test:     []string{"CMD", "python", "-m", "provision_glue.health", "caddy"},
				Interval: "5s", Timeout: "5s", Retries: 6, StartPeriod: "1m",
			},
			StopGrace: "40s", // its own grace period is 30s
		}
		if in.TLS != TLSOff {
			s.Ports = append(s.Ports,
				published{Target: int(site.port), Published: port, Protocol: "udp"},
				published{Target: 80, Published: "80", Protocol: "tcp"})
		}
		if in.AgentHere {
			here := attachment{}
			if !site.ip.IsValid() {
				here.Aliases = []string{site.host}
			}
			s.Networks = map[string]attachment{in.Stack.Network(naming.AgentNetwork): here}
		}
		return s, nil
	},
}
