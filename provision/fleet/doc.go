// Package fleet is the hosts of a run: one connection to each, its lock with the apply shell that holds it, where machines of the cloud are reached,
// and which hosts the run goes on without. It changes nothing that a user has.
package fleet
