package digitalocean

import (
	"testing"

	"provision/remote"
	"provision/remote/remotecontract"
)

// TestForeign: each message that is known is in one of the API, and means that alone.
func TestForeign(t *testing.T) {
	t.Parallel()
	remotecontract.CheckForeign(t, foreign, map[string]remote.Meaning{
		"creating this/these droplet(s) will exceed your droplet limit": overLimit,
		"Droplet already has a pending event.":                          underway,
		"This resource is currently locked.":                            underway,
		"The reserved IP cannot be released.":                           addressHeld,
		"Can not delete VPC with members":                               networkHeld,
	})
}
