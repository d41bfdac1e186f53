# Makes out/: base (packages of the family, empty but for their names and relations), and a tree per state of Docker's
# repository as below linux/ at Docker's own host. Docker's packages are those of the debs beside this file.
set -eu
arch=$(uname -m)
mkdir -p base docker broken

# package DIR NAME VERSION RELATIONS [SCRIPTS]; the files are those in tree/
package() {
	(cd tree && find . ! -type d -printf '"/%P"\n') >files
	cat >one.spec <<END
%global debug_package %{nil}
%global __os_install_post %{nil}
%global _build_id_links none
%global _binary_payload w1.gzdio
Name: $2
Version: $3
Release: 1.lab
Summary: stand-in for $2
License: none
AutoReqProv: no
$4
%description
stand-in for $2
%install
cp -a $PWD/tree/. %{buildroot}
${5:-}
%files -f $PWD/files
END
	rpmbuild -bb --quiet --define "_topdir $PWD/top" --define "_rpmdir $PWD/$1" --define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' one.spec
}
empty() { rm -rf tree; mkdir -p tree/usr/share/lab; echo "$1" >"tree/usr/share/lab/$1"; }
deb() { rm -rf tree; dpkg-deb -x "$1.deb" tree; }

# rpm does not know what Debian's packages bring: /bin/sh is in the release.
while IFS='|' read -r name version relations; do
	empty "$name"
	package base "$name" "$version" "$relations"
done <<END
rocky-release|9.6|Provides: system-release = 9.6, system-release(releasever) = 9, /bin/sh
ca-certificates|2024.2.69|
iptables-nft|1.8.10|Provides: iptables
container-selinux|2.235.0|
runc|1.2.4|
podman-docker|5.2.2|Provides: docker
END

while IFS='|' read -r name version relations; do
	deb "$name"
	package docker "$name" "$version" "$relations"
done <<END
containerd.io|1.7.28|Conflicts: containerd, runc
docker-ce-cli|28.5.1|Epoch: 1
docker-buildx-plugin|0.29.1|
docker-compose-plugin|2.40.3|
END
needs='Epoch: 3
Requires: containerd.io, docker-ce-cli, container-selinux, iptables, /bin/sh
Conflicts: docker'
cp docker/* broken
deb docker-ce
package docker docker-ce 28.5.1 "$needs" '%pre
getent group docker >/dev/null || groupadd --system docker'
package broken docker-ce 28.5.1 "$needs" '%pre
echo "this package is broken" >&2
exit 1'

export GNUPGHOME=$PWD/gpg
mkdir -m 0700 gpg out
for k in one two; do
	gpg --batch --quiet --passphrase '' --quick-gen-key "Lab $k <$k@example.org>" rsa2048 sign never
	gpg --armor --export "$k@example.org" >"out/$k.asc"
done
cp -r docker forged
rpmsign --define '_gpg_name one@example.org' --addsign docker/*.rpm broken/*.rpm >/dev/null
rpmsign --define '_gpg_name two@example.org' --addsign forged/*.rpm >/dev/null
state() { # NAME PACKAGES KEY...
	d=out/$1/rhel p=$2
	shift 2
	mkdir -p "$d/9/$arch"
	cp -rl "$p" "$d/9/$arch/stable"
	cat "$@" >"$d/gpg"
}
for d in base docker broken forged; do createrepo_c --quiet $d; done
mv base out/base
state good docker out/one.asc
state two docker out/one.asc out/two.asc
state forged forged out/one.asc
state other forged out/two.asc
state broken broken out/one.asc
