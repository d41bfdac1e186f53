package digitalocean

import (
	"context"
	"embed"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"provision/provision/cloud/digitalocean/declared"
	"provision/provision/platform"
	"provision/provision/resource"
	"provision/remote"
)

// HostKey is a droplet's own host key. It is born with one that came in its user data, which every
// program on it can read; at the first login it makes one that nobody else has seen.
//
// At every moment the droplet's tags name the key that it shows: the new key's tag is there before
// it is shown, and the old one's goes after that was seen. The tag of birth goes last, so a droplet
// that still has it is as blank as it was born, and this is done again, or to its end.
type HostKey struct {
	D    *declared.Account
	Host string
}

var (
	_ resource.Resource = (*HostKey)(nil)
	_ Looker            = (*HostKey)(nil)
)

func (k *HostKey) ID() resource.ID        { return resource.HostKeyID(k.Host) }
func (k *HostKey) Needs() []resource.ID   { return []resource.ID{DropletID(k.Host)} }
func (k *HostKey) Probe(*resource.Script) {}

func (k *HostKey) Look(l *Listing) resource.Fact {
	for _, one := range l.Droplets {
		if k.D.HostOf(one.Tags) != k.Host {
			continue
		}
		if declared.BirthKey(one.Tags) != "" {
			return absent()
		}
		return present("keys", strings.Join(declared.HostKeys(one.Tags), "\n"))
	}
	return absent()
}

func (k *HostKey) Diff(w resource.World) []resource.Change {
	if _, know := w.Fact(k.ID()); know != resource.No {
		return nil
	}
	return []resource.Change{{ID: k.ID(), Act: resource.Add, Why: "the first login is verified by the key that the droplet is made with, and replaces it"}}
}

//go:embed *.sh
var files embed.FS

// scripts are the shell of this package.
var scripts = remote.ReadScripts(files)

// hostKeyFile is the key that a droplet shows.
const hostKeyFile = "/etc/ssh/ssh_host_ed25519_key"

func (k *HostKey) Do(ctx context.Context, r *resource.Run, _ resource.Change) error {
	if _, err := r.Sh(ctx, k.Host, platform.FirstBoot()); err != nil {
		return err
	}
	// Under the lock: who has waited for it may find everything done.
	one, err := named(ctx, r, k.D, k.Host)
	if err != nil {
		return err
	}
	birth := declared.BirthKey(one.Tags)
	if birth == "" {
		return fmt.Errorf("somebody else has set this droplet up meanwhile: %w", resource.ErrStale)
	}
	shown, err := r.Sh(ctx, k.Host, "cat "+hostKeyFile+".pub")
	if err != nil {
		return err
	}
	first, _, _, _, err := ssh.ParseAuthorizedKey([]byte(shown))
	if err != nil {
		return fmt.Errorf("its host key is not readable: %w", err)
	}
	text := "none"
	if remote.HostKeySum(first) == birth {
		text = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(first)))
	}
	out, err := r.Sh(ctx, k.Host, scripts.With("hostkey_make", "key", hostKeyFile, "born", text))
	if err != nil {
		return err
	}
	fresh, _, _, _, err := ssh.ParseAuthorizedKey([]byte(out))
	if err != nil || fresh.Type() != ssh.KeyAlgoED25519 {
		return fmt.Errorf("the host has made no ed25519 key")
	}
	sum := remote.HostKeySum(fresh)
	if sum == birth {
		return fmt.Errorf("the host has kept the key that it was made with")
	}
	r.Progress(k.ID(), "its own key is %s", shortSum(sum))
	if err := tag(ctx, r, declared.HostKeyTag(sum), one.ID); err != nil {
		return err
	}
	if _, err := r.Sh(ctx, k.Host, scripts.With("hostkey_show", "key", hostKeyFile)); err != nil {
		return err
	}
	if err := r.VerifyHostKey(ctx, k.Host, sum); err != nil {
		return err
	}
	// With a tag goes all that carried it: one call each, which may be repeated.
	for _, t := range append(older(one.Tags, sum), declared.BirthTag(birth)) {
		if _, err := account(r).Tags.Delete(ctx, t); ignoreStatus(err, 404) != nil {
			return err
		}
	}
	return nil
}

// older are the tags of keys that the droplet does not show any more.
func older(tags []string, sum string) (out []string) {
	for _, other := range declared.HostKeys(tags) {
		if other != sum {
			out = append(out, declared.HostKeyTag(other))
		}
	}
	return out
}
