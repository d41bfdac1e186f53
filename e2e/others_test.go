//go:build linux && e2e

package e2e

import (
	"testing"

	"provision/e2e/lab"
)

// testOthers meets a host on which others have an engine, containers, volumes and routes: what the stack cannot live
// beside is said by plan, with real dockerd, buildx and kernel, and what it can live beside is not.
func testOthers(t *testing.T) {
	s, hosts := newSite(t, "e2e-others", gen2, lab.HostOptions{Name: "all", Docker: true})
	host := hosts[0]
	refused := func(code int, words ...string) {
		t.Helper()
		_, said := s.provision(code, "plan")
		for _, w := range words {
			s.contains(said, w)
		}
	}
	const restart = "systemctl reset-failed docker; systemctl restart docker"
	for _, c := range []struct {
		name, given, gone string
		code              int
		words             []string
	}{
		{
			"no buildx", "mkdir /root/kept && mv /usr/libexec/docker/cli-plugins/docker-buildx /root/kept", "mv /root/kept/docker-buildx /usr/libexec/docker/cli-plugins && rmdir /root/kept",
			15,
			[]string{"has no buildx, which builds the images", "apt-get install docker-buildx"},
		},
		{
			"no Compose", "mkdir /root/kept && mv /usr/libexec/docker/cli-plugins/docker-compose /root/kept", "mv /root/kept/docker-compose /usr/libexec/docker/cli-plugins && rmdir /root/kept",
			15,
			[]string{"has no Compose 2", "apt-get install docker-compose"},
		},
		{
			"user namespaces", `id dockremap >/dev/null 2>&1 || useradd -r dockremap; echo dockremap:200000:65536 | tee /etc/subuid >/etc/subgid; mkdir -p /etc/docker; echo '{"userns-remap":"default"}' >/etc/docker/daemon.json; ` + restart, "rm /etc/docker/daemon.json /etc/subuid /etc/subgid; " + restart,
			15,
			[]string{"userns-remap"},
		},
		{
			"an engine stopped, its command elsewhere", "systemctl stop docker.socket docker; mkdir -p /snap/bin /root/kept; mv /usr/bin/docker /snap/bin; mv /usr/sbin/dockerd /root/kept", "mv /snap/bin/docker /usr/bin; mv /root/kept/dockerd /usr/sbin; rm -r /snap /root/kept; systemctl start docker.socket docker",
			15,
			[]string{"Docker is a snap on this host"},
		},
		{
			"a container", "tar -C / -c etc/hostname | docker import - other:1 && docker create --name prefect-caddy other:1 nothing", "docker rm prefect-caddy; docker rmi other:1",
			15,
			[]string{"prefect-caddy"},
		},
		{
			"a volume", "docker volume create prefect-postgres && echo 13 >$(docker volume inspect --format '{{.Mountpoint}}' prefect-postgres)/PG_VERSION", "docker volume rm prefect-postgres",
			40,
			[]string{"prefect-postgres", "somebody else's"},
		},
		{
			"a network of a container of others", "docker network create --subnet 10.210.0.0/24 theirs", "docker network rm theirs",
			15,
			[]string{"10.210.0.0/24", "these are free on this host"},
		},
		{"a VPN that takes all", "ip link add vpn type bridge && ip link set vpn up && ip route add 0.0.0.0/1 dev vpn && ip route add 128.0.0.0/1 dev vpn", "ip link del vpn", 0, nil},
	} {
		s.stage(c.name, func(s *site) {
			s.on(host, c.given)
			refused(c.code, c.words...)
			s.on(host, c.gone)
		})
	}
	refused(0)
}
