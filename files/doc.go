// Package files renders what lands on hosts: the Compose projects, the Caddyfile, the engine's settings and the build contexts of the images.
// It is pure: the same input gives the same bytes. It knows names and paths inside the containers and below the directory that it is given, but no host,
// no connection and no secret's value: what exists only on a host is a file of its own there, which the rendered text names.
package files
