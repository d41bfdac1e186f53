package resource

import (
	"regexp"
	"testing"

	"provision/remote"
	"provision/remote/remotecontract"
)

// TestForeign: each text that is known is in what the program said, and means that alone; the shell finds it by one expression.
func TestForeign(t *testing.T) {
	t.Parallel()
	said := map[string]remote.Meaning{
		"Error response from daemon: No such image: prefect-prefect:0":                                      noSuchImage,
		"Error response from daemon: No such container: prefect-caddy":                                      noSuchContainer,
		"Error response from daemon: container 0123abcd is not running":                                     notRunning,
		"Error response from daemon: Container 0123abcd is restarting, wait until the container is running": restarting,
		"Error response from daemon: toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit": registryBusy,
		"Error response from daemon: received unexpected HTTP status: 429 Too Many Requests":                                                                                                         registryBusy,
		"Error response from daemon: Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: i/o timeout":                                                                   registryBusy,
		"Error response from daemon: Get \"https://registry-1.docker.io/v2/\": net/http: TLS handshake timeout":                                                                                      registryBusy,
		"read tcp 192.0.2.1:40000->192.0.2.2:443: read: connection reset by peer":                                                                                                                    registryBusy,
		"received unexpected HTTP status: 503 Service Unavailable":                                                                                                                                   registryBusy,
		"Error response from daemon: pull access denied for nobody/nothing, repository does not exist or may require 'docker login': denied: requested access to the resource is denied":             registryLogin,
		"Error response from daemon: Head \"https://ghcr.io/v2/a/b/manifests/1\": unauthorized":                                                                                                      registryLogin,
		"Error: Cannot perform an interactive login from a non TTY device":                                                                                                                           registryLogin,
		"Username: ": registryLogin,
		"psql: error: connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  password authentication failed for user \"prefect\"": passwordRefused,
	}
	remotecontract.CheckForeign(t, foreign, said)
	for line, means := range said {
		for _, other := range []remote.Meaning{noSuchContainer, notRunning, restarting, registryBusy, registryLogin, passwordRefused} {
			if got := regexp.MustCompile(foreign.Expression(other)).MatchString(line); got != (other == means) {
				t.Errorf("%q is found for %q: %v", line, other, got)
			}
		}
	}
}
