package digitalocean

import "provision/remote"

const (
	overLimit   remote.Meaning = "the account may have no more of it"
	underway    remote.Meaning = "something else is underway with it"
	addressHeld remote.Meaning = "a droplet still has the address"
	networkHeld remote.Meaning = "the network still has members"
)

// foreign are messages of the API, whose status and id are the same for other refusals.
var foreign = remote.Foreigns{
	{Program: "DigitalOcean API v2 of 2025", Text: "limit", Means: overLimit},
	{Program: "DigitalOcean API v2 of 2025", Text: "pending event", Means: underway},
	{Program: "DigitalOcean API v2 of 2025", Text: "currently locked", Means: underway},
	{Program: "DigitalOcean API v2 of 2025", Text: "cannot be released", Means: addressHeld},
	{Program: "DigitalOcean API v2 of 2025", Text: "with members", Means: networkHeld},
}
