package digitalocean

import "provision/provision/resource/resourcetest"

// The tables read better with short names.
type (
	world    = resourcetest.World
	facts    = resourcetest.Facts
	diffCase = resourcetest.Case
)

var (
	yes     = resourcetest.Yes
	no      = resourcetest.No
	unknown = resourcetest.Unknown
	runDiff = resourcetest.Diff
)
