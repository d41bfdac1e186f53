package files

import (
	"provision/files/gen2"
	"provision/files/generation"
)

// Generations are all that this provision sets up.
var Generations = []generation.Generation{gen2.Generation}
