package glue

import (
	"strconv"

	"provision/files/compose"
	"provision/files/generation"
	"provision/files/naming"
)

// Caddy is the entrance.
var Caddy = generation.Part{
	Name: "caddy", Role: naming.RoleServer, Title: "Caddy", UID: naming.CaddyUID, Image: generation.ImageCaddy, Entrance: true,
	Networks: []naming.Network{naming.ServerNetwork},
	Volumes:  []generation.PartVolume{{Name: naming.CaddyVolume, Target: "/data"}},
	Secrets:  "caddy", // not AtStart: a changed file is taken by a reload, or at the next request
	Calls:    []generation.Call{{Part: "server"}},
	Note:     Noted("the UI and the API are unavailable for a few seconds; agents retry"),
	Define: func(in generation.Input, site generation.Site) (compose.Service, error) {
		port := strconv.Itoa(int(site.Port))
		s := compose.Service{
			Command: []string{"caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"},
			Environment: compose.Overlay(compose.ProxyEnvironment(in.Proxy, in.NoProxy, "server"), map[string]string{
				"XDG_DATA_HOME":   "/data",
				"XDG_CONFIG_HOME": "/tmp",
				"HEALTH_URL":      site.Scheme + "://" + site.HostPart(),
				"HEALTH_CONNECT":  "127.0.0.1:" + port,
			}),
			// The ports inside are those outside, so that agents on the same host reach it under the same url; they are low ones, and no capability is left.
			Sysctls: map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"},
			Ports:   []compose.Port{{Target: int(site.Port), Published: port, Protocol: "tcp"}},
			Volumes: []compose.Mount{compose.Bind(in.Stack.RoleDir(naming.RoleServer)+"/caddy", "/etc/caddy")},
			Tmpfs:   []string{"/run/caddy:uid=" + naming.CaddyUID + ",gid=" + naming.CaddyUID + ",mode=0700"},
			HealthCheck: &compose.HealthCheck{
				Test:     []string{"CMD", "python", "-m", "provision_glue.health", "caddy"},
				Interval: "15s", Timeout: "5s", Retries: 4, StartPeriod: "1m", StartInterval: "3s",
			},
			StopGrace: "40s", // its own grace period is 30s
		}
		if in.TLS != generation.TLSOff {
			s.Ports = append(s.Ports,
				compose.Port{Target: int(site.Port), Published: port, Protocol: "udp"},
				compose.Port{Target: 80, Published: "80", Protocol: "tcp"})
		}
		if in.AgentHere {
			here := compose.Attachment{}
			if !site.IP.IsValid() {
				here.Aliases = []string{site.Host}
			}
			s.Networks = map[string]compose.Attachment{in.Stack.Network(naming.AgentNetwork): here}
		}
		return s, nil
	},
}
