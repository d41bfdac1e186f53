// Package remotetest simulates Linux hosts in this process: real SSH and SFTP on loopback, behind
// which a POSIX shell runs the scripts it is sent over a file tree of its own, with simulated
// coreutils, apt, systemd, Docker and Compose that keep state. Tests of the product and
// `provision demo` use it.
//
// Its lowest layer is package unix: a file tree, processes, the shell and the programs of a bare system.
// Each layer knows those below it alone.
//
// It knows what the real programs do, not what the product wants: it never looks inside a script,
// and it imports nothing of the product. A command, option or shell construct that it does not know
// is written down in [Host.Unknown] and fails like a program that is not there, so a test that ends
// with an empty list has run nothing that was merely assumed to work.
package remotetest
