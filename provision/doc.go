// Package provision is the pass: load, observe, diff, run, and observe again until nothing differs.
// It knows rounds, the graph of changes, the lock of a host, verification and the events that tell
// people what happens. What a resource is, and how one is changed, is package resource's business;
// how anything is shown is cmd/provision's.
package provision
