package glue

import "provision/files/generation"

// Programs are those of the images, the same in all generations.
var Programs = generation.Glue{
	Observe:  "python -m provision_glue.observe",
	Pool:     "python -m provision_glue.pool",
	Register: "python -m provision_glue.register",
	Smoke:    "python -m provision_glue.smoke",
	Check:    "/opt/provision/entrypoint python -m provision_glue.check",
	Smokes:   "provision_glue.flows.smoke",
}
