// Package lab runs real Debian hosts on one machine: systemd, OpenSSH, apt and,
// where asked for, Docker, each host with its own address on one bridge.
//
// It knows nothing of the product: no inventory type, no stack, no SSH client.
// It gives a host its address, keys and users before the first boot and lets a
// test look into it (Exec) by a way the product does not use.
//
// Two directories hold all of it. The cache (PROVISION_LAB_CACHE, default
// /var/cache/provision-lab) has what takes long to make: base file systems and
// container images. The state (PROVISION_LAB_STATE, default
// /var/lib/provision-lab) has the labs: one directory each, removed by Close.
// Several labs run side by side; names, addresses and ports are given out under
// one lock. A lab that is not kept dies with its process: what a killed process
// left is removed by the next New.
//
// Images come in sets, one for each generation of the stack. A lab makes, serves
// and loads the sets that its options name, and no others.
//
// It needs root on Linux and the tools that Missing names.
package lab
