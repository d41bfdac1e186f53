// Package remote is one machine over SSH: it dials (jump hosts, host keys,
// authentication), runs POSIX shell scripts as the login user or as root, streams
// data of any size through them, keeps a shell running under a lock, and copies
// files both ways.
//
// It gives three promises. A host key is always verified, with the verdict that
// OpenSSH gives on the same files. A script is never part of a command line, and
// no value becomes shell text unless it went through [Quote]. A connection that
// is lost in the middle is an error of kind [Lost], never a success.
//
// It refuses to know what the machine is for: no inventory, no roles, no Docker.
// It never prints, never retries a command, and never reconnects on its own:
// what to do about an error is decided by its [Kind] and by the caller.
package remote
