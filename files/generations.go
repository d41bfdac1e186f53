package files

import (
	"provision/files/gen2"
	"provision/files/gen3"
	"provision/files/generation"
)

// Generations are all that this provision sets up. The first is that of stacks which name none.
var Generations = []generation.Generation{gen2.Generation, gen3.Generation}
