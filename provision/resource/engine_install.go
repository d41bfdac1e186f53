package resource

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"provision/remote"
)

// install brings Docker's packages onto a host that has none. Whatever it adds to the host's package
// sources, and whatever it unpacks, is taken back when it fails, and by the next run when it is killed.
func (e *Engine) install(ctx context.Context, r *Run, id, versionID, codename string) error {
	fam, ok := findFamily(id)
	if !ok {
		return fmt.Errorf("this system (%s) is not one that provision installs Docker on", remote.Sanitize(id))
	}
	if _, err := r.Sh(ctx, e.Host, aptReady+readSources); err != nil {
		return err
	}
	out, err := r.Sh(ctx, e.Host, "dpkg-query -W -f '${db:Status-Status} ${Package}\\n' "+strings.Join(conflicting, " ")+" 2>/dev/null || true")
	if err != nil {
		return err
	}
	if found := installedOf(out); len(found) > 0 && e.Source != "distro" && e.Source != "auto" {
		return fmt.Errorf("the packages %s are installed and stand in the way; remove them, or repair the engine that they bring", strings.Join(found, ", "))
	}
	distro, hasDistro := fam.distro[versionID]
	if e.Source == "distro" {
		return e.packages(ctx, r, distro)
	}
	err = e.official(ctx, r, fam, codename)
	if err == nil || !hasDistro || e.Source == "official" || ctx.Err() != nil {
		return err
	}
	r.Note(e.Host, "Docker's own repository is not usable here (%v); taking the distribution's packages", err)
	return e.packages(ctx, r, distro)
}

func installedOf(out string) (found []string) {
	for l := range strings.Lines(out) {
		if status, name, ok := strings.Cut(strings.TrimSpace(l), " "); ok && status == "installed" {
			found = append(found, remote.Sanitize(name))
		}
	}
	return found
}

// base is the repository of a family's packages.
func (e *Engine) base(fam family) string {
	return strings.TrimSuffix(e.Repository, "/") + "/" + fam.path
}

// packages installs from the sources that the host has.
func (e *Engine) packages(ctx context.Context, r *Run, packages []string) error {
	_, err := r.Sh(ctx, e.Host, aptReady+"aptinstall "+strings.Join(packages, " ")+"\n")
	return err
}

// official installs Docker's own packages. A source that the host has and that gives them is used as it is. Else
// Docker's repository is added, signed by the one key that is expected: the key is read back and compared here before
// the host trusts it, and the host's sources are tried together with the new one before that gets its place.
func (e *Engine) official(ctx context.Context, r *Run, fam family, codename string) error {
	base := e.base(fam)
	packages := strings.Join(officialPackages, " ")
	if _, err := r.Sh(ctx, e.Host, aptReady+"aptinstall ca-certificates\n"); err != nil {
		return err
	}
	answer, err := r.Get(ctx, e.Host, fmt.Sprintf(`if [ "$(apt-cache policy %[1]s | grep -c '^  Candidate: [^(]')" -eq %[2]d ]; then echo there; exit; fi
[ ! -e %[3]s ] || die "%[3]s is there already, but gives no docker-ce: repair or remove it"
[ ! -e %[4]s ] || { printf 'host '; head -c 65536 %[4]s | base64 -w 0; echo; }
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
for f in gpg dists/%[5]s/Release; do timeout 30 /usr/lib/apt/apt-helper -o Acquire::Retries=1 -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10 download-file %[6]s/$f "$d/${f##*/}" >&2; done
printf 'mirror '; head -c 65536 "$d/gpg" | base64 -w 0; echo
`, packages, len(officialPackages), dockerSources, dockerKeyFile, remote.Quote(codename), remote.Quote(base)))
	if err != nil {
		return fmt.Errorf("ask %s for its key: %w", base, err)
	}
	if strings.TrimSpace(answer) == "there" {
		r.Note(e.Host, "the host's own package sources have Docker's packages; they are used as they are")
		return e.packages(ctx, r, officialPackages)
	}
	keys := map[string][]byte{}
	for l := range strings.Lines(answer) {
		whose, text, _ := strings.Cut(strings.TrimSpace(l), " ")
		if keys[whose], err = base64.StdEncoding.DecodeString(text); err != nil {
			return fmt.Errorf("read the key of %s: unexpected answer", base)
		}
	}
	if theirs, ok := keys["host"]; ok && !only(theirs, e.Key) {
		return errors.New(e.otherKeys() + ": move it away")
	}
	key, err := signingKey(keys["mirror"], e.Key)
	if err != nil {
		return fmt.Errorf("the key of %s: %w", base, err)
	}
	_, err = r.Sh(ctx, e.Host, aptReady+fmt.Sprintf(`(umask 022; mkdir -p "${K%%/*}")
[ -e "$K" ] || { t=$(mktemp "${K%%/*}/.provision.XXXXXX"); printf '%%s' %s >"$t"; put "$t" "$K" 0:0 0644; }
t=$(mktemp -d /etc/apt/.provision.XXXXXX)
for f in "${S%%/*}"/*; do [ ! -f "$f" ] || cp "$f" "$t"; done
printf '%%s\nTypes: deb\nURIs: %%s\nSuites: %%s\nComponents: stable\nArchitectures: %%s\nSigned-By: %%s\n' "$H" %s %s "$(dpkg --print-architecture)" "$K" >"$t/docker.sources"
try update -o Dir::Etc::sourceparts="$t" || { takeback; die "Docker's repository does not work beside the host's package sources: $cause"; }
put "$t/docker.sources" "$S" 0:0 0644; rm -rf "$t"
aptinstall %s
`, remote.Quote(key), remote.Quote(base), remote.Quote(codename), packages))
	return err
}

// lookAtSources is the part of a blank host's record that tells what stands in the way of packages: the host's own package
// sources where apt cannot read them and, where Docker's repository is the only way, what keeps it from being added, what
// it shows as its key, or why it shows nothing. Nothing is written but below a directory of its own in /tmp.
func (e *Engine) lookAtSources() string {
	if e.Source == "present" {
		return ":"
	}
	var paths, otherwise []string
	for _, f := range families {
		paths = append(paths, fmt.Sprintf(`%s) p=%s c=${%s:-} ;;`, f.id, f.path, f.codename))
		for v := range f.distro {
			otherwise = append(otherwise, remote.Quote(f.id+" "+v))
		}
	}
	slices.Sort(otherwise)
	skip := "case \"$ID $VERSION_ID\" in " + strings.Join(otherwise, "|") + ") return ;; esac"
	switch e.Source {
	case "official":
		skip = ":"
	case "distro":
		skip = "return"
	}
	return fmt.Sprintf(`bad() { apt-get indextargets "$@" 2>&1 >/dev/null | grep '^E: ' | head -n 1; }
look() {
[ -r /etc/os-release ] && command -v apt-get >/dev/null || return
w=$(bad); [ -z "$w" ] || { v sources "$w"; return; }
ID= VERSION_ID= p= there=; . /etc/os-release
%[1]s
case $ID in %[2]s esac
[ -n "$p" ] && b=%[3]s/$p && t=$(mktemp -d) || return
if [ "$(head -n 1 %[5]s 2>/dev/null)" != '%[7]s' ] && ! { [ -e %[4]s ] && [ %[5]s -nt %[4]s ]; }; then others; fi # else it is taken back first
[ -n "$there" ] || ask
rm -rf "$t"; }
others() { # what is there of others, which is left as it is
! grep -rqs docker /etc/apt/sources.list /etc/apt/sources.list.d || there=yes
! apt-get indextargets --format '$(BASE_URI) $(COMPONENT)' 2>/dev/null | grep -qxF "$b/dists/$c/ stable" || { there=yes; return; }
if [ -e %[5]s ]; then there=yes; grep -qs stable %[5]s || v named yes; return; fi
mkdir "$t/parts"; for f in /etc/apt/sources.list.d/*; do [ ! -f "$f" ] || cp "$f" "$t/parts"; done
printf 'Types: deb\nURIs: %%s\nSuites: %%s\nComponents: stable\nSigned-By: %%s\n' "$b" "$c" %[6]s >"$t/parts/docker.sources"
w=$(bad -o Dir::Etc::sourceparts="$t/parts"); [ -z "$w" ] || { there=yes; v beside "$w"; return; }
if [ -z "$there" ] && [ -e %[6]s ] && ! grep -q '^Comment: %[8]s' %[6]s; then v kept "$(head -c 65536 %[6]s | base64 -w 0)"; fi; }
ask() {
[ -e /etc/ssl/certs/ca-certificates.crt ] && [ -e /usr/lib/apt/apt-helper ] || return
for u in gpg "dists/$c/Release"; do
	timeout 20 /usr/lib/apt/apt-helper -o Acquire::Retries=0 -o Acquire::http::Timeout=8 -o Acquire::https::Timeout=8 download-file "$b/$u" "$t/${u##*/}" >/dev/null 2>"$t/said" && continue
	v unreachable "$(grep '^E: ' "$t/said" | head -n 1)"; break
done
[ ! -s "$t/gpg" ] || v key "$(head -c 65536 "$t/gpg" | base64 -w 0)"; }
look`, skip, strings.Join(paths, " "), remote.Quote(strings.TrimSuffix(e.Repository, "/")), marker, dockerSources, dockerKeyFile, sourcesHead, keyComment)
}

// unusable says why packages cannot be installed, as far as it was looked at, and what to do about it.
func (e *Engine) unusable(rec Record, fam family) (why, hint string) {
	apt := func(field string) string {
		return remote.Sanitize(strings.TrimPrefix(firstLine(rec.Fields[field]), "E: "))
	}
	from := "Docker cannot be installed from " + e.base(fam) + ": "
	switch {
	case rec.Fields["sources"] != "":
		return "apt cannot read the host's package sources: " + apt("sources"), "correct them on the host, until apt-get update ends well"
	case rec.Fields["named"] != "":
		return from + dockerSources + " is there already, but gives no docker-ce", "repair or remove that file on the host"
	case rec.Fields["beside"] != "":
		return from + "the host's package sources contradict it: " + apt("beside"), "on the host, give that entry the component stable, so that it is used, or remove it"
	case rec.Fields["kept"] != "":
		if keyring, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rec.Fields["kept"])); err != nil || !only(keyring, e.Key) {
			return from + e.otherKeys(), "move that file away on the host; docker.key in stack.toml names another key"
		}
	}
	const mirror = "site.docker_repository in the inventory names a mirror, docker.key in stack.toml the key that its owner signs it with"
	if said, ok := rec.Fields["unreachable"]; ok {
		return from + strings.TrimPrefix(firstLine(cmp.Or(said, "no answer within 20 s")), "E: "), mirror
	}
	if shown, ok := rec.Fields["key"]; ok {
		keyring, err := base64.StdEncoding.DecodeString(strings.TrimSpace(shown))
		if err == nil {
			_, err = signingKey(keyring, e.Key)
		}
		if err != nil {
			return from + "its key: " + remote.Sanitize(err.Error()), mirror
		}
	}
	return "", ""
}

func (e *Engine) otherKeys() string {
	return fmt.Sprintf("%s is there already, with other keys than %s", dockerKeyFile, e.Key)
}

// Where Docker's repository is added: under the names that Docker's own manual gives, so that whoever follows it later
// replaces our files and does not add a source that contradicts them.
const (
	dockerSources = "/etc/apt/sources.list.d/docker.sources"
	dockerKeyFile = "/etc/apt/keyrings/docker.asc"
	sourcesHead   = "# Added by provision, which takes it away again if Docker cannot be installed from here."
)

// newPackages lists what an installation that goes on brings to the host, until it has ended well.
const newPackages = Root + "/engine.packages"

// FirstBoot waits until cloud-init has ended what it does at the first boot of a machine.
const FirstBoot = `n=0
while command -v cloud-init >/dev/null && s=$(cloud-init status 2>/dev/null || true) && case $s in *running*|*'not started'*|*'not run'*) true ;; *) false ;; esac; do
	[ $n -lt 180 ] || die "cloud-init did not end within 15 minutes: $s"
	[ $((n % 6)) -ne 0 ] || echo "waiting for cloud-init to end its first boot work"
	n=$((n + 1)); sleep 5
done
`

// aptReady waits for first boot and for other package managers, says what it waits for, and
// finishes an installation that was interrupted. Locks are never removed and nobody is killed.
//
// It defines try, which runs apt-get and leaves the first line that says why it failed in cause; aptinstall, which
// takes back what it brought when it fails; and takeback, which removes what was added to the host's package sources.
const aptReady = `S=` + dockerSources + ` K=` + dockerKeyFile + ` N=` + newPackages + ` H="` + sourcesHead + `"
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
holder() { ino=$(stat -c %i "$1" 2>/dev/null) || return 1
	while read -r _ _ _ _ pid dev _; do case $dev in *:"$ino") printf 'process %s (%s)' "$pid" "$(cat "/proc/$pid/comm" 2>/dev/null)"; return 0 ;; esac; done </proc/locks
	return 1; }
heard() { rc=0; "$@" 2>"$work/errors" || rc=$?; cat "$work/errors" >&2
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
if [ -n "$(dpkg --audit 2>/dev/null)" ] || ls /var/lib/dpkg/updates 2>/dev/null | grep -q '^[0-9][0-9]*$'; then
	echo "finishing an interrupted package installation"
	heard dpkg --configure -a || { why=$cause; unpacked; [ -z "$(dpkg --audit 2>/dev/null)" ] || die "an interrupted package installation cannot be finished: $why"; }
fi
`

// readSources reads the host's package sources, without what a killed run added. What older versions added stayed when it
// did not work, and breaks apt until it is taken away: it has no head, and is newer than the mark of our engine.
const readSources = `takeback
try update || { [ -f "$S" ] && [ "$S" -nt ` + marker + ` ] && [ "$(sed 's/:.*//' "$S" | tr '\n' ' ')" = 'Types URIs Suites Components Architectures Signed-By ' ] &&
	rm -f "$S" "$K" && try update; } || die "apt-get update failed: $cause"
`
