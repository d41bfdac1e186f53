package resource_test

import "provision/provision/resource/resourcetest"

// The tables read better with short names.
type (
	world    = resourcetest.World
	facts    = resourcetest.Facts
	diffCase = resourcetest.Case
)

var (
	fact    = resourcetest.Fact
	yes     = resourcetest.Yes
	no      = resourcetest.No
	unknown = resourcetest.Unknown
	runDiff = resourcetest.Diff
)
