// Package glue is what the generations of the stack share: rows of containers, the recipe of the images, what users' projects
// are checked with, and the Python programs that run beside Prefect. A generation adds its own rows and its own modules.
package glue
