package resource

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"provision/provision/platform"
	"provision/remote"
)

// install brings Docker's packages onto a host that has none. Whatever it adds to the host's package
// sources, and whatever it unpacks, is taken back when it fails, and by the next run when it is killed.
func (e *Engine) install(ctx context.Context, r *Run, os map[string]string) error {
	fam, ok := platform.Find(os["ID"])
	if !ok {
		return fmt.Errorf("this system (%s) is not one that provision installs Docker on", os["ID"])
	}
	if _, err := r.Sh(ctx, e.Host, fam.Packages.Update()); err != nil {
		return err
	}
	out, err := r.Sh(ctx, e.Host, fam.Packages.Installed(fam.Packages.Words().Conflicting...))
	if err != nil {
		return err
	}
	if found := installedOf(out); len(found) > 0 && e.Source != "distro" && e.Source != "auto" {
		return fmt.Errorf("the packages %s are installed and conflict with Docker's; remove them, or repair the engine that they bring", strings.Join(found, ", "))
	}
	distro, hasDistro := fam.Distro[fam.Release(os)]
	if e.Source == "distro" {
		return e.packages(ctx, r, fam, distro)
	}
	err = e.official(ctx, r, fam, fam.Repository(e.Repository, os))
	if err == nil || !hasDistro || e.Source == "official" || ctx.Err() != nil {
		return err
	}
	r.Note(e.Host, "Docker's own repository is not usable here (%v); taking the distribution's packages", err)
	return e.packages(ctx, r, fam, distro)
}

func installedOf(out string) (found []string) {
	for l := range strings.Lines(out) {
		if status, name, ok := strings.Cut(strings.TrimSpace(l), " "); ok && status == "installed" {
			found = append(found, remote.Sanitize(name))
		}
	}
	return found
}

// packages installs from the sources that the host has.
func (e *Engine) packages(ctx context.Context, r *Run, fam platform.Family, packages []string) error {
	_, err := r.Sh(ctx, e.Host, fam.Packages.Install(packages...))
	return err
}

// key is the fingerprint of the key that the packages of a family are signed with.
func (e *Engine) key(fam platform.Family) string { return cmp.Or(e.Key, fam.Packages.Words().Key) }

// official installs Docker's own packages. A source that the host has and that gives them is used as it is. Else
// Docker's repository is added, signed by the one key that is expected: the key is read back and compared here before
// the host trusts it, and the host's sources are tried together with the new one before that gets its place.
func (e *Engine) official(ctx context.Context, r *Run, fam platform.Family, from platform.Repository) error {
	if err := e.packages(ctx, r, fam, []string{"ca-certificates"}); err != nil {
		return err
	}
	answer, err := r.Get(ctx, e.Host, fam.Packages.Ask(from))
	if err != nil {
		return fmt.Errorf("ask %s for its key: %w", from.URL, err)
	}
	if strings.TrimSpace(answer) == "there" {
		r.Note(e.Host, "the host's own package sources have Docker's packages; they are used as they are")
		return e.packages(ctx, r, fam, platform.DockerPackages)
	}
	keys := map[string][]byte{}
	for l := range strings.Lines(answer) {
		whose, text, _ := strings.Cut(strings.TrimSpace(l), " ")
		if keys[whose], err = base64.StdEncoding.DecodeString(text); err != nil {
			return fmt.Errorf("read the key of %s: unexpected answer", from.URL)
		}
	}
	if theirs, ok := keys["host"]; ok && !platform.OnlyKey(theirs, e.key(fam)) {
		return errors.New(e.otherKeys(fam) + ": move it away")
	}
	key, err := platform.SigningKey(keys["mirror"], e.key(fam))
	if err != nil {
		return fmt.Errorf("the key of %s: %w", from.URL, err)
	}
	_, err = r.Sh(ctx, e.Host, fam.Packages.OfficialRepository(from, key))
	return err
}

// unusable says why packages cannot be installed, as far as it was looked at, and what to do about it.
func (e *Engine) unusable(rec Record, fam platform.Family, os map[string]string) (why, hint string) {
	words := fam.Packages.Words()
	said := func(field string) string {
		return remote.Sanitize(strings.TrimPrefix(firstLine(rec.Fields[field]), words.Error))
	}
	from := "Docker cannot be installed from " + fam.Repository(e.Repository, os).URL + ": "
	switch {
	case rec.Fields["conflicts"] != "":
		names := strings.Fields(remote.Sanitize(rec.Fields["conflicts"]))
		return "Docker's packages conflict with some that are installed: " + strings.Join(names, ", "), "on the host, if nothing needs them: " + words.Remove + " " + strings.Join(names, " ")
	case rec.Fields["sources"] != "":
		return words.Program + " cannot read the host's package sources: " + said("sources"), "correct them on the host, until " + words.Check + " ends well"
	case rec.Fields["named"] != "":
		return from + words.SourceFile + " is there already, but gives no docker-ce", "repair or remove that file on the host"
	case rec.Fields["beside"] != "":
		return from + "the host's package sources contradict it: " + said("beside"), "on the host, give that entry the component stable, so that it is used, or remove it"
	case rec.Fields["kept"] != "":
		if keyring, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rec.Fields["kept"])); err != nil || !platform.OnlyKey(keyring, e.key(fam)) {
			return from + e.otherKeys(fam), "move that file away on the host; docker.key in stack.toml names another key"
		}
	}
	const mirror = "site.docker_repository in the inventory names a mirror, docker.key in stack.toml the key that its owner signs it with"
	if said, ok := rec.Fields["unreachable"]; ok {
		return from + strings.TrimPrefix(firstLine(cmp.Or(said, "no answer within 20 s")), words.Error), mirror
	}
	if shown, ok := rec.Fields["key"]; ok {
		keyring, err := base64.StdEncoding.DecodeString(strings.TrimSpace(shown))
		if err == nil {
			_, err = platform.SigningKey(keyring, e.key(fam))
		}
		if err != nil {
			return from + "its key: " + remote.Sanitize(err.Error()), mirror
		}
	}
	return "", ""
}

func (e *Engine) otherKeys(fam platform.Family) string {
	return fmt.Sprintf("%s is there already, with other keys than %s", fam.Packages.Words().KeyFile, e.key(fam))
}
