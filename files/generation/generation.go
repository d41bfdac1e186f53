package generation

import "provision/files/buildcontext"

// Generation is a version of Prefect and the stack that runs it.
type Generation struct {
	// Prefect is the version that the images are locked to, as stack files name it.
	Prefect string
	Parts   Parts
	// Tokens says what the holder of each kind of token may do at the API: with all, flows may do everything; with serve, what executes flows fetches them.
	Tokens func(all, serve bool) []TokenRoutes
	// Build gives the build context of one of the images that are built on hosts. It reads the user's project.
	Build func(image string, in BuildInput) (buildcontext.Context, error)
}

// BuildInput is what images are built from.
type BuildInput struct {
	Base           string // a Python image, under the name by which the host has it: a mirror is no part of it
	Caddy          string // the image of Caddy
	CACertificates []byte // PEM, trusted in the build and in the image beside the base's own
	Project        string // directory of the flows' project; "" is the built-in one
}
