package resource

// What tests look at from outside of the package, where they have resourcetest.
var (
	Digest        = digest
	DockerListing = dockerListing
	DockerOf      = docker
	Walled        = walled
	FreeSubnet    = freeSubnet
	Spaces        = spaces
	Address       = address
	Number        = number
)

const (
	MetadataText    = metadataText
	ContainerFormat = containerFormat
)

// Machine runs what a change runs, here.
type Machine = machine

// SetNonce says which run's nonce the digest of a given value is salted with.
func (f *SecretFile) SetNonce(nonce string) { f.nonce = nonce }
