//go:build linux && e2e

package e2e

import (
	"fmt"
	"strings"
	"time"

	"provision/e2e/lab"
)

// tries are who tries to reach an address, and whether it answers.
func (s *site) tries(from *lab.Host, uid, address, port string) string {
	s.Helper()
	return s.on(from, fmt.Sprintf(`timeout 3 setpriv --reuid %s --regid %[1]s --clear-groups bash -c 'exec 3<>/dev/tcp/%s/%s' 2>/dev/null && echo open || echo shut`, uid, address, port))
}

const account = "12345" // of the host, nobody's

// inside are the addresses of the server's containers with what listens there.
func (s *site) inside(server *lab.Host) (list [][2]string) {
	s.Helper()
	for name, port := range map[string]string{"prefect-server": "4200", "prefect-postgres": "5432", "prefect-caddy": "443"} {
		for address := range strings.FieldsSeq(s.on(server, `docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' `+name)) {
			list = append(list, [2]string{address, port})
		}
	}
	if len(list) < 4 {
		s.Fatalf("the containers have the addresses %q", list)
	}
	return list
}

// forwards makes a host one that forwarded before Docker came, and its neighbour one that knows the way to its networks.
func (s *site) forwards(server, neighbour *lab.Host) {
	s.Helper()
	s.on(server, "iptables -P FORWARD ACCEPT; echo 1 >/proc/sys/net/ipv4/ip_forward")
	s.on(neighbour, "ip route replace 10.210.0.0/23 via "+server.Address)
}

// shut wants what listens in containers closed to the host's accounts and to its neighbours, and the published port open.
func (s *site) shut(server, neighbour *lab.Host) {
	s.Helper()
	s.forwards(server, neighbour)
	for _, at := range s.inside(server) {
		for who, got := range map[string]string{"an account of the host": s.tries(server, account, at[0], at[1]), "a neighbour": s.tries(neighbour, "0", at[0], at[1])} {
			if got != "shut" {
				s.Errorf("to %s %s:%s is %s", who, at[0], at[1], got)
			}
		}
	}
	for who, got := range map[string]string{
		"an account, by the host's address": s.tries(server, account, server.Address, "443"), "an account, by loopback": s.tries(server, account, "127.0.0.1", "443"),
		"root": s.tries(server, "0", "127.0.0.1", "443"), "a neighbour": s.tries(neighbour, account, server.Address, "443"),
	} {
		if got != "open" {
			s.Errorf("to %s the published port is %s", who, got)
		}
	}
}

// closedFromOutside shows first that the attack works where the rules are not. The site has so many hosts.
func (s *site) closedFromOutside(server, neighbour *lab.Host, hosts int) {
	s.forwards(server, neighbour)
	s.on(server, "iptables -t mangle -D PREROUTING -j PROVISION-IN; iptables -t mangle -D OUTPUT -j PROVISION-OUT")
	for _, at := range s.inside(server) {
		if got := s.tries(server, account, at[0], at[1]); got != "open" {
			s.Errorf("without the rules %s:%s is %s to an account of the host", at[0], at[1], got)
		}
		// The database's network has no way in or out by Docker's own rules.
		if got := s.tries(neighbour, "0", at[0], at[1]); got != "open" && strings.HasPrefix(at[0], "10.210.0.") {
			s.Errorf("without the rules %s:%s is %s to a neighbour", at[0], at[1], got)
		}
	}
	s.names(server.Name + ": change networks closed from outside: the rules are not in place")
	s.apply()
	s.shut(server, neighbour)

	// An account's service on the host answers containers, as it did before.
	service := s.on(server, `cd /; setsid setpriv --reuid `+account+` --regid `+account+` --clear-groups perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalPort => 5999, Listen => 5, ReuseAddr => 1) or die; while ($c = $s->accept) { print $c "hello\n"; close $c }' >/dev/null 2>&1 </dev/null & echo $!`)
	s.until("the account's service listens", 3*time.Minute, func() bool { return s.tries(server, "0", "127.0.0.1", "5999") == "open" })
	s.want(server, `docker exec prefect-server python -c 'import socket
print(socket.create_connection(("10.210.0.1",5999),5).makefile().read().strip())'`, "hello")
	s.on(server, "kill "+service)

	// Somebody empties the tables, and starts Docker again because of it: the rules are back with Docker's own.
	s.on(server, "iptables -t mangle -F; systemctl restart docker")
	s.shut(server, neighbour)

	s.until("the containers are healthy", 8*time.Minute, func() bool {
		return s.on(server, "docker ps --filter name=prefect- --format '{{.Status}}' | grep -vc '(healthy)' || true") == "0"
	})
	s.again(hosts)
}
