#!/bin/sh
# boot.sh ROOT SHIMS [BUSYBOX]: makes a blank host at ROOT, in the namespaces that it was started in, and stays until it is killed.
# Its programs are those of this machine; with BUSYBOX they are BusyBox's alone, and what BusyBox lacks and the product needs.
set -eu
mount -t tmpfs -o size=8g none "$1"
cd "$1"
mkdir -p usr/local etc/systemd/system opt proc dev run/lock root tmp var/lib var/log var/tmp
chmod 1777 tmp var/tmp run/lock
chmod 700 root
for d in bin sbin lib lib64; do ln -s "usr/$d" "$d"; done
ln -s /run var/run
ln -s /run/lock var/lock
if [ -n "${3:-}" ]; then
	mkdir -p usr/bin usr/sbin usr/lib usr/lib64
	cp "$3" usr/bin/busybox
	for d in lib lib64; do
		if [ -d "/usr/$d" ]; then
			mount --rbind "/usr/$d" "usr/$d"
			mount -o remount,bind,ro "usr/$d"
		fi
	done
	chroot . /usr/bin/busybox --install -s /usr/bin
	[ -e usr/bin/flock ] || cp "$(command -v flock)" usr/bin/flock
else
	mount --rbind /usr usr
	mount -o remount,bind,ro usr
	mount -t tmpfs none usr/local
fi
mkdir -p usr/local/sbin
cp "$2"/* usr/local/sbin/
chmod 755 usr/local/sbin/*
for d in null zero full random urandom tty; do
	: >"dev/$d"
	mount --bind "/dev/$d" "dev/$d"
done
ln -s /proc/self/fd dev/fd
mount -t proc none proc
# The kernel is that of this machine: what would change it must go through a shim.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
printf 'root:x:0:0:root:/root:/bin/sh\n' >etc/passwd
printf 'root:x:0:\n' >etc/group
printf 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\n' >etc/os-release
echo ready
exec sleep 3600
