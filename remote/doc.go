// Package remote is one machine over SSH: it dials (jump hosts, host keys,
// authentication), runs POSIX shell scripts as the login user or as root, streams
// data of any size through them, gives a person a terminal, keeps a shell running
// under a lock, and copies files both ways.
//
// Which to take: [Conn.Run] for a script whose output fits in memory, [Conn.Shell]
// for many of them one after another, [Conn.Stream] for data that go in or come
// out, [Conn.Terminal] for a person, [Conn.Upload] and [Conn.Download] for a file.
// The last four keep nothing of what goes through, so its size does not matter.
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
