package resource

import "provision/remote"

// What tests look at from outside of the package, where they have resourcetest.
var (
	Digest     = digest
	DockerOf   = docker
	Walled     = walled
	FreeSubnet = freeSubnet
	Spaces     = spaces
	Address    = address
	Number     = number
)

// DockerListing is the listing, whole.
func DockerListing(stack string, images []string) string {
	return remote.Args(listing(stack, images)...) + scripts.With("docker_listing", "label", LabelStack) + "listing \"$@\"\n"
}

const (
	MetadataText    = metadataText
	ContainerFormat = containerFormat
)

// Machine runs what a change runs, here.
type Machine = machine

// SetNonce says which run's nonce the digest of a given value is salted with.
func (f *SecretFile) SetNonce(nonce string) { f.nonce = nonce }

// Units are the texts of the units.
func (b *Backups) Units() (service, timer string) { return b.units() }
