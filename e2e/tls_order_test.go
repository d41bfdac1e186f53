//go:build linux && e2e

package e2e

import (
	"fmt"
	"strings"

	"provision/e2e/lab"
)

// tlsInAnyOrder goes on from tls off: to the stack's own authority, to another url and back, to a new
// authority after the old one was lost, and to files and back. Caddy keeps what it was issued, so each of
// these is a way to show a certificate that the agents refuse.
func (s *site) tlsInAnyOrder(host *lab.Host, own certified) {
	const off, internal = "mode = \"off\"\nallow_plaintext = true", "mode = \"internal\""
	files := fmt.Sprintf("mode = \"files\"\ncertificate = %q\nkey = %q", own.certificate, own.key)
	root := "/var/lib/provision/prefect/server/secrets/caddy/root.crt"
	byName := "url = \"https://prefect.lab.test\"\n"
	started := s.on(host, "docker inspect --format '{{.State.StartedAt}}' prefect-caddy")
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"off to internal", func() { s.edit("inventory.toml", off, internal) }},
		{"another url", func() { s.edit("inventory.toml", "", byName) }},
		{"the url of before", func() { s.edit("inventory.toml", byName, "") }},
		{"a new authority", func() { s.on(host, "rm "+root) }},
		{"internal to files", func() { s.edit("inventory.toml", internal, files) }},
		{"files to internal", func() { s.edit("inventory.toml", files, internal) }},
	} {
		step.do()
		s.Log(step.name)
		said := strings.Join(s.apply().events, "\n")
		s.again(1)
		switch {
		case step.name == "off to internal", // its ports are others, so the container was replaced
			strings.HasSuffix(step.name, "url"), step.name == "the url of before", // its health check asks for another name
			strings.Contains(said, "Caddy restarts"): // it was too slow to show the certificate after a reload
			started = s.on(host, "docker inspect --format '{{.State.StartedAt}}' prefect-caddy")
		}
		if step.name == "another url" {
			continue // the test does not resolve that name
		}
		s.want(host, "docker inspect --format '{{.State.StartedAt}}' prefect-caddy", started)
		var web outside
		if step.name == "internal to files" { // the stack has no authority of its own then
			web = s.trusting(own.root, "https://"+host.Address)
		} else {
			web = s.outside(host)
		}
		if code, answer := web.ask("GET", "/api/health", ""); code != 200 || answer != "true" {
			s.Errorf("%s: %d %q", step.name, code, answer)
		}
	}
	// A certificate of another authority in Caddy's volume, as a restored one could hold, is named and healed.
	s.on(host, `cd $(docker volume inspect --format '{{.Mountpoint}}' prefect-caddy)/caddy/certificates
now=$(sed -n 's/^	ca \([0-9a-f]*\)$/\1/p' /var/lib/provision/prefect/server/caddy/authority); [ -d "$now" ]
for x in */; do x=${x%/}; if [ "$x" != "$now" ] && [ -d "$x/`+host.Address+`" ]; then cp "$x/`+host.Address+`"/* "$now/`+host.Address+`/"; docker restart prefect-caddy; exit 0; fi; done
exit 1`)
	s.names("the certificate that Caddy shows is of another authority")
	s.apply()
	s.provision(0, "verify", "--smoke")
	s.again(1)
}
