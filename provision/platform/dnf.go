package platform

import (
	"encoding/hex"
	"fmt"
	"strings"

	"provision/remote"
)

// dnf is the package manager of the Red Hat family, with rpm below.
type dnf struct{}

// Where Docker's repository is added: the file and its section have the names that Docker's own manual gives.
const (
	dnfSources = "/etc/yum.repos.d/docker-ce.repo"
	dnfKeyFile = "/etc/pki/rpm-gpg/RPM-GPG-KEY-docker"
)

func (dnf) Words() Words {
	return Words{
		Program: "dnf", Check: "dnf makecache", Install: "dnf install", Remove: "dnf remove", TimeSync: "chrony", Error: "Error: ",
		SourceFile: dnfSources, KeyFile: dnfKeyFile, Key: "060a61c51b558a7f742b77aac52feb6b621e9f35",
		Conflicting: []string{"podman-docker", "runc", "containerd", "docker", "docker-engine", "moby-engine"},
	}
}

func (dnf) Update() string {
	return dnfReady + `takeback
try makecache --refresh || die "dnf makecache failed: $cause"
`
}

func (dnf) Install(packages ...string) string {
	return dnfReady + "dnfinstall " + strings.Join(packages, " ") + "\n"
}

func (dnf) Installed(packages ...string) string {
	return "rpm -q --qf 'installed %{NAME}\\n' " + strings.Join(packages, " ") + " 2>/dev/null || true"
}

func (dnf) Ask(from Repository) string {
	return fmt.Sprintf(`if [ "$(dnf -q repoquery --available --qf '%%{name}\n' %[1]s | sort -u | grep -c .)" -eq %[2]d ]; then echo there; exit; fi
[ ! -e %[3]s ] || die "%[3]s is there already, but gives no docker-ce: repair or remove it"
[ ! -e %[4]s ] || { printf 'host '; head -c 65536 %[4]s | base64 -w 0; echo; }
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
for f in gpg %[5]s/"$(uname -m)"/stable/repodata/repomd.xml; do timeout 30 curl -fsSL --retry 1 --connect-timeout 10 -o "$d/${f##*/}" %[6]s/"$f"; done
printf 'mirror '; head -c 65536 "$d/gpg" | base64 -w 0; echo
`, strings.Join(DockerPackages, " "), len(DockerPackages), dnfSources, dnfKeyFile, remote.Quote(from.Suite), remote.Quote(from.URL))
}

// OfficialRepository notes in the file whether rpm's database gets the key by this: then takeback removes it from there, too.
func (dnf) OfficialRepository(from Repository, key string) string {
	id := ""
	if ring, err := readKeys([]byte(key)); err == nil && len(ring) == 1 {
		print40 := hex.EncodeToString(ring[0].PrimaryKey.Fingerprint)
		id = "gpg-pubkey-" + print40[max(0, len(print40)-8):]
	}
	return dnfReady + fmt.Sprintf(`(umask 022; mkdir -p "${K%%/*}")
[ -e "$K" ] || { t=$(mktemp "${K%%/*}/.provision.XXXXXX"); printf '%%s' %s >"$t"; put "$t" "$K" 0:0 0644; }
t=$(mktemp -d "${S%%/*}/.provision.XXXXXX")
printf '%%s\n' "$H" >"$t/docker-ce.repo"
rpm -q %[2]s >/dev/null 2>&1 || printf '# %[2]s\n' >>"$t/docker-ce.repo"
printf '[docker-ce-stable]\nname=Docker CE Stable\nbaseurl=%%s/%%s/$basearch/stable\nenabled=1\ngpgcheck=1\ngpgkey=file://%%s\n' %[3]s %[4]s "$K" >>"$t/docker-ce.repo"
try makecache --refresh --setopt=reposdir="$t" --repo=docker-ce-stable || { takeback; die "Docker's repository does not work: $cause"; }
put "$t/docker-ce.repo" "$S" 0:0 0644; rm -rf "$t"
dnfinstall %[5]s
`, remote.Quote(key), id, remote.Quote(from.URL), remote.Quote(from.Suite), strings.Join(DockerPackages, " "))
}

func (m dnf) Look() string {
	return fmt.Sprintf(`command -v dnf >/dev/null && command -v rpm >/dev/null || return
w=$(rpm -q --qf '%%{NAME}\n' %[5]s 2>/dev/null | grep -v ' ' | tr '\n' ' '); [ -z "$w" ] || { v conflicts "$w"; return; }
t=$(mktemp -d) || return
if [ "$(head -n 1 %[1]s 2>/dev/null)" != '%[3]s' ]; then
	! grep -qs docker /etc/yum.repos.d/*.repo || there=yes
	[ ! -e %[1]s ] || grep -qs '^\[docker-ce-stable\]' %[1]s || v named yes
	if [ -z "$there" ] && [ -e %[2]s ] && ! grep -q '^Comment: %[4]s' %[2]s; then v kept "$(head -c 65536 %[2]s | base64 -w 0)"; fi
fi
[ -z "$there" ] && [ -n "$only" ] && command -v curl >/dev/null || return
for u in gpg "$c/$(uname -m)/stable/repodata/repomd.xml"; do
	timeout 20 curl -fsSL --connect-timeout 8 -o "$t/${u##*/}" "$b/$u" 2>"$t/said" && continue
	v unreachable "$(head -n 1 "$t/said")"; break
done
[ ! -s "$t/gpg" ] || v key "$(head -c 65536 "$t/gpg" | base64 -w 0)"`, dnfSources, dnfKeyFile, sourcesHead, keyComment, strings.Join(m.Words().Conflicting, " "))
}

// dnfReady waits for first boot and for other package managers, and says what it waits for. Locks are never removed and
// nobody is killed. An installation that was interrupted needs nothing: rpm knows a package when all of it is there.
//
// It defines try, which runs dnf and leaves the first line that says why it failed in cause; dnfinstall, which
// takes back what it brought when it fails; and takeback, which removes what was added to the host's package sources.
const dnfReady = `S=` + dnfSources + ` K=` + dnfKeyFile + ` H="` + sourcesHead + `"
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
` + lockHolder + `running() { p=$(cat "$1" 2>/dev/null) && grep -qs dnf "/proc/$p/cmdline" && printf 'process %s (dnf)' "$p"; }
heard() { rc=0; "$@" 2>"$work/errors" || rc=$?; cat "$work/errors" >&2
	cause=$(grep -E '^( *- (Status code|Curl error|nothing provides)| Problem( [0-9]+)?: problem|Error( in|: .)|Public key for|Package .* is not signed|warning: .* failed)' "$work/errors" | head -n 1 | sed 's/^[ -]*//') || true
	cause=${cause:-exit status $rc}; cause=${cause#Error: }
	return $rc; }
try() { heard dnf -y --setopt=install_weak_deps=False "$@"; }
have() { rpm -qa --qf '%{NAME}\n' | sort -u | grep -vxF gpg-pubkey; }
dnfinstall() {
	have >"$work/before" || die "rpm lists no packages"
	try install "$@" || { why=$cause; unpacked; takeback; die "dnf install failed: $why"; }
}
unpacked() {
	left=
	for p in $(have); do grep -qxF "$p" "$work/before" || left="$left $p"; done
	[ -z "$left" ] || heard rpm -e $left || echo "these packages could not be removed again:$left: $cause" >&2
}
takeback() {
	rm -rf "${S%/*}"/.provision.*
	if [ -f "$S" ] && [ "$(head -n 1 "$S")" = "$H" ]; then
		p=$(sed -n 's/^# \(gpg-pubkey-[0-9a-f]*\)$/\1/p' "$S")
		[ -z "$p" ] || ! rpm -q "$p" >/dev/null 2>&1 || rpm -e "$p" >&2 || true
		rm -f "$S"
	fi
	if grep -qs '^Comment: ` + keyComment + `' "$K" && ! grep -qsF "$K" "${S%/*}"/*.repo; then rm -f "$K"; fi
}
` + FirstBoot + `n=0
while h=$(holder /var/lib/rpm/.rpm.lock) || h=$(running /var/lib/dnf/rpmdb_lock.pid) || h=$(running /var/cache/dnf/metadata_lock.pid); do
	[ $n -lt 120 ] || die "the package lock was not free within 10 minutes: $h holds it"
	[ $((n % 3)) -ne 0 ] || echo "waiting for the package lock: $h holds it"
	n=$((n + 1)); sleep 5
done
`
