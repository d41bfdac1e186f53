package platform

import (
	"fmt"
	"strings"

	"provision/files/naming"
	"provision/remote"
)

// apt is the package manager of Debian and what comes from it, with dpkg below.
type apt struct{}

// Where Docker's repository is added: under the names that Docker's own manual gives, so that whoever follows it later
// replaces our files and does not add a source that contradicts them.
const (
	aptSources = "/etc/apt/sources.list.d/docker.sources"
	aptKeyFile = "/etc/apt/keyrings/docker.asc"
)

// newPackages lists what a running installation brings to the host, until it has ended well.
const newPackages = naming.Root + "/engine.packages"

func (apt) Words() Words {
	return Words{
		Program: "apt", Check: "apt-get update", Install: "apt-get install", Remove: "apt-get remove", TimeSync: "systemd-timesyncd", Error: "E: ",
		SourceFile: aptSources, KeyFile: aptKeyFile, Key: "9dc858229fc7dd38854ae2d88d81803c0ebfcd88",
		Conflicting: []string{"podman-docker", "docker-ce", "docker.io", "docker-engine", "moby-engine"},
	}
}

func (apt) Update() string { return aptReady + aptRead }

func (apt) Install(packages ...string) string {
	return aptReady + "aptinstall " + strings.Join(packages, " ") + "\n"
}

func (apt) Installed(packages ...string) string {
	return "dpkg-query -W -f '${db:Status-Status} ${Package}\\n' " + strings.Join(packages, " ") + " 2>/dev/null || true"
}

func (apt) Ask(from Repository) string {
	return fmt.Sprintf(`if [ "$(apt-cache policy %[1]s | grep -c '^  Candidate: [^(]')" -eq %[2]d ]; then echo there; exit; fi
[ ! -e %[3]s ] || die "%[3]s is there already, but gives no docker-ce: repair or remove it"
[ ! -e %[4]s ] || { printf 'host '; head -c 65536 %[4]s | base64 -w 0; echo; }
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
for f in gpg dists/%[5]s/Release; do timeout 30 /usr/lib/apt/apt-helper -o Acquire::Retries=1 -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10 download-file %[6]s/$f "$d/${f##*/}" >&2; done
printf 'mirror '; head -c 65536 "$d/gpg" | base64 -w 0; echo
`, strings.Join(DockerPackages, " "), len(DockerPackages), aptSources, aptKeyFile, remote.Quote(from.Suite), remote.Quote(from.URL))
}

func (apt) OfficialRepository(from Repository, key string) string {
	return aptReady + fmt.Sprintf(`(umask 022; mkdir -p "${K%%/*}")
[ -e "$K" ] || { t=$(mktemp "${K%%/*}/.provision.XXXXXX"); printf '%%s' %s >"$t"; put "$t" "$K" 0:0 0644; }
t=$(mktemp -d /etc/apt/.provision.XXXXXX)
for f in "${S%%/*}"/*; do [ ! -f "$f" ] || cp "$f" "$t"; done
printf '%%s\nTypes: deb\nURIs: %%s\nSuites: %%s\nComponents: stable\nArchitectures: %%s\nSigned-By: %%s\n' "$H" %s %s "$(dpkg --print-architecture)" "$K" >"$t/docker.sources"
try update -o Dir::Etc::sourceparts="$t" || { takeback; die "Docker's repository does not work beside the host's package sources: $cause"; }
put "$t/docker.sources" "$S" 0:0 0644; rm -rf "$t"
aptinstall %s
`, remote.Quote(key), remote.Quote(from.URL), remote.Quote(from.Suite), strings.Join(DockerPackages, " "))
}

func (apt) Look() string {
	return fmt.Sprintf(`bad() { apt-get indextargets "$@" 2>&1 >/dev/null | grep '^E: ' | head -n 1; }
command -v apt-get >/dev/null || return
w=$(bad); [ -z "$w" ] || { v sources "$w"; return; }
[ -n "$only" ] && t=$(mktemp -d) || return
others() { # what is there of others, which is left as it is
! grep -rqs docker /etc/apt/sources.list /etc/apt/sources.list.d || there=yes
! apt-get indextargets --format '$(BASE_URI) $(COMPONENT)' 2>/dev/null | grep -qxF "$b/dists/$c/ stable" || { there=yes; return; }
if [ -e %[2]s ]; then there=yes; grep -qs stable %[2]s || v named yes; return; fi
mkdir "$t/parts"; for f in /etc/apt/sources.list.d/*; do [ ! -f "$f" ] || cp "$f" "$t/parts"; done
printf 'Types: deb\nURIs: %%s\nSuites: %%s\nComponents: stable\nSigned-By: %%s\n' "$b" "$c" %[3]s >"$t/parts/docker.sources"
w=$(bad -o Dir::Etc::sourceparts="$t/parts"); [ -z "$w" ] || { there=yes; v beside "$w"; return; }
if [ -z "$there" ] && [ -e %[3]s ] && ! grep -q '^Comment: %[5]s' %[3]s; then v kept "$(head -c 65536 %[3]s | base64 -w 0)"; fi; }
ask() {
[ -e /etc/ssl/certs/ca-certificates.crt ] && [ -e /usr/lib/apt/apt-helper ] || return
for u in gpg "dists/$c/Release"; do
	timeout 20 /usr/lib/apt/apt-helper -o Acquire::Retries=0 -o Acquire::http::Timeout=8 -o Acquire::https::Timeout=8 download-file "$b/$u" "$t/${u##*/}" >/dev/null 2>"$t/said" && continue
	v unreachable "$(grep '^E: ' "$t/said" | head -n 1)"; break
done
[ ! -s "$t/gpg" ] || v key "$(head -c 65536 "$t/gpg" | base64 -w 0)"; }
if [ "$(head -n 1 %[2]s 2>/dev/null)" != '%[4]s' ] && ! { [ -e %[1]s ] && [ %[2]s -nt %[1]s ]; }; then others; fi # else it is taken back first
[ -n "$there" ] || ask`, EngineMark, aptSources, aptKeyFile, sourcesHead, keyComment)
}

// aptReady waits for first boot and for other package managers, says what it waits for, and
// finishes an installation that was interrupted. Locks are never removed and nobody is killed.
//
// It defines try, which runs apt-get and leaves the first line that says why it failed in cause; aptinstall, which
// takes back what it brought when it fails; and takeback, which removes what was added to the host's package sources.
const aptReady = `S=` + aptSources + ` K=` + aptKeyFile + ` N=` + newPackages + ` H="` + sourcesHead + `"
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
` + lockHolder + `heard() { rc=0; "$@" 2>"$work/errors" || rc=$?; cat "$work/errors" >&2
	cause=$(grep -E '^(dpkg: error|W: (GPG|OpenPGP|An error)|E: )' "$work/errors" | head -n 1) || true
	cause=${cause:-exit status $rc}; cause=${cause#[EW]: }
	return $rc; }
try() { heard apt-get -q -y --no-install-recommends -o APT::Get::Remove=false -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o APT::Update::Error-Mode=any -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 "$@"; }
aptinstall() {
	new=$(apt-get -q -s --no-install-recommends -o APT::Get::Remove=false install "$@" 2>/dev/null | sed -n 's/^Inst \([^ ]*\) (.*/\1/p') || true
	(umask 022; mkdir -p "${N%/*}")
	printf '%s\n' "$new" >"$N"; sync "$N"
	try install "$@" || { why=$cause; unpacked; takeback; die "apt-get install failed: $why"; }
	rm -f "$N"
}
unpacked() {
	[ -e "$N" ] || return 0
	left=
	while read -r p; do
		case $(dpkg-query -W -f '${db:Status-Status}' "${p:-.}" 2>/dev/null) in ''|not-installed|config-files) ;; *) left="$left $p" ;; esac
	done <"$N"
	# shellcheck disable=SC2086 # names of packages
	[ -z "$left" ] || heard dpkg --remove --force-remove-reinstreq $left || echo "these packages could not be removed again:$left: $cause" >&2
	rm -f "$N"
}
takeback() {
	rm -rf /etc/apt/.provision.*
	if [ -f "$S" ] && [ "$(head -n 1 "$S")" = "$H" ]; then rm -f "$S"; fi
	if grep -qs '^Comment: ` + keyComment + `' "$K" && ! grep -rqsF "$K" /etc/apt/sources.list /etc/apt/sources.list.d; then rm -f "$K"; fi
}
` + FirstBoot + `n=0
while h=$(holder /var/lib/dpkg/lock-frontend) || h=$(holder /var/lib/dpkg/lock) || h=$(holder /var/lib/apt/lists/lock); do
	[ $n -lt 120 ] || die "the package lock was not free within 10 minutes: $h holds it"
	[ $((n % 3)) -ne 0 ] || echo "waiting for the package lock: $h holds it"
	n=$((n + 1)); sleep 5
done
# shellcheck disable=SC2010 # dpkg gives them names of digits
if [ -n "$(dpkg --audit 2>/dev/null)" ] || ls /var/lib/dpkg/updates 2>/dev/null | grep -q '^[0-9][0-9]*$'; then
	echo "finishing an interrupted package installation"
	heard dpkg --configure -a || { why=$cause; unpacked; [ -z "$(dpkg --audit 2>/dev/null)" ] || die "an interrupted package installation cannot be finished: $why"; }
fi
`

// aptRead reads the host's package sources, without what a killed run added. What older versions added stayed when it
// did not work, and breaks apt until it is taken away: it has no head, and is newer than the mark of our engine.
const aptRead = `takeback
try update || { [ -f "$S" ] && [ "$S" -nt ` + EngineMark + ` ] && [ "$(sed 's/:.*//' "$S" | tr '\n' ' ')" = 'Types URIs Suites Components Architectures Signed-By ' ] &&
	rm -f "$S" "$K" && try update; } || die "apt-get update failed: $cause"
`
