//go:build linux && e2e

package e2e

import (
	"regexp"
	"strings"
	"time"

	"provision/e2e/lab"
)

// walled puts a firewall before a stack that works, by ufw and by nftables alone. verify names it, at most 15 s later than it says
// that all is well, with the command to type; with that the stack works again, through the same firewall.
func (s *site) walled(host *lab.Host) {
	s.on(host, "apt-get -q -y -o Acquire::Retries=3 update >/dev/null 2>&1; DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends ufw nftables >/dev/null 2>&1")
	verify := func(want int) (said string, took time.Duration) {
		begun := time.Now()
		_, said = s.provision(want, "verify")
		return said, time.Since(begun)
	}
	_, well := verify(0)
	next := regexp.MustCompile(`(?m)next: ((?:ufw|nft) .*?)(?: \(and the same .*)?$`)
	for _, c := range []struct{ name, wall, gone string }{
		{"ufw", "sed -i 's/^IPV6=yes/IPV6=no/' /etc/default/ufw; ufw allow 22/tcp && ufw --force enable", "ufw --force disable"},
		{"nftables, what comes in", `nft -f - <<'END'
table inet own {
	chain incoming {
		type filter hook input priority 0; policy drop;
		ct state { established, related } accept
		iif lo accept
		tcp dport 22 accept
	}
}
END`, "nft delete table inet own"},
		{"nftables, what is forwarded", "nft 'table inet own { chain way { type filter hook forward priority 0; policy drop; ct state { established, related } accept; }; }'", "nft delete table inet own"},
	} {
		s.on(host, c.wall)
		said, took := verify(15)
		if took > 2*well+15*time.Second {
			s.Errorf("%s: verify took %s, and %s where all is well", c.name, took, well)
		}
		m := next.FindStringSubmatch(said)
		if m == nil {
			s.Fatalf("%s: no command to type in\n%s", c.name, said)
		}
		if why := s.reached(host); why == "" {
			s.Errorf("%s: nothing stands between, in truth", c.name)
		}
		s.on(host, m[1])
		if why := s.reached(host); why != "" {
			s.Errorf("%s: with %q: %s", c.name, m[1], why)
		}
		_, well = verify(0)
		s.on(host, c.gone)
	}
}

// reached has the agent's container begin a connection to the url, and Prefect's to the database; "" if both can.
func (s *site) reached(host *lab.Host) (why string) {
	s.Helper()
	for container, to := range map[string]string{"prefect-agent": host.Address + " 443", "prefect-server": "postgres 5432"} {
		name, port, _ := strings.Cut(to, " ")
		out := s.on(host, "timeout 60 docker exec "+container+` python -c 'import socket
socket.create_connection(("`+name+`",`+port+`),3); print("connected")' 2>&1 | tail -n 1`)
		if out != "connected" {
			why += container + " to " + to + ": " + out + "\n"
		}
	}
	return why
}
