//go:build unix

package main

import (
	"testing"

	"provision/provision/cloud/digitalocean/digitaloceantest"
)

// TestDestroyInterrupted: the first Ctrl-C at the question for a name ends the call, and nothing is destroyed.
func TestDestroyInterrupted(t *testing.T) {
	cloud, file := account(t)
	made(t, cloud, "worker-9", "provision:prod", "provision:prod:name:worker-9", "provision:birth:aa")
	s := open(t, 120, 40, []string{"DIGITALOCEAN_API_URL=" + cloud.URL(), "DIGITALOCEAN_ACCESS_TOKEN=" + digitaloceantest.Token}, "provision", "droplet", "destroy", "--all", "-i", file)
	s.wait("Type its name to continue: ")
	s.typed("\x03")
	s.exit(130)
	if len(cloud.Droplets()) != 1 {
		t.Errorf("the account has %v", cloud.Droplets())
	}
}
