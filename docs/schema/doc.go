// Package schema holds docs/inventory.schema.json and docs/stack.schema.json, which editors check and complete
// the two files with, to the Go types that the files are decoded into. It has tests only: they make the schemas
// and compare them with what is committed (make schemas writes them).
package schema
