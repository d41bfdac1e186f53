package digitalocean

import (
	"cmp"
	"context"
	"strings"

	"github.com/digitalocean/godo"

	"provision/provision/cloud/digitalocean/declared"
	"provision/provision/resource"
)

// CloudKey is a public key of the operators' in the account: new droplets let its owner in. It may
// be there already, under any name, and it is never removed: others may use it.
type CloudKey struct {
	D   *declared.Account
	Key declared.PublicKey
}

var (
	_ resource.Resource = (*CloudKey)(nil)
	_ Looker            = (*CloudKey)(nil)
)

func (k *CloudKey) ID() resource.ID        { return resource.ID{Kind: "ssh key", Name: k.Key.Fingerprint} }
func (k *CloudKey) Needs() []resource.ID   { return []resource.ID{CloudAccountID()} }
func (k *CloudKey) Probe(*resource.Script) {}

func (k *CloudKey) Look(l *Listing) resource.Fact {
	if _, ok := l.Keys[k.Key.Fingerprint]; !ok {
		return absent()
	}
	return present()
}

func (k *CloudKey) Diff(w resource.World) []resource.Change {
	if _, know := w.Fact(k.ID()); know != resource.No {
		return nil
	}
	return []resource.Change{{ID: k.ID(), Act: resource.Add, Why: "the account does not have this public key (" + clean(cmp.Or(k.Key.Comment, k.Key.Fingerprint)) + ")"}}
}

func (k *CloudKey) Do(ctx context.Context, r *resource.Run, _ resource.Change) error {
	_, err := once(ctx, r, k.ID(), func(ctx context.Context) (*godo.Key, error) {
		key, _, err := account(r).Keys.GetByFingerprint(ctx, k.Key.Fingerprint)
		return key, ignoreStatus(err, 404)
	}, func(ctx context.Context) (*godo.Key, error) {
		key, _, err := account(r).Keys.Create(ctx, &godo.KeyCreateRequest{Name: strings.TrimSpace("provision " + k.D.Name + " " + clean(k.Key.Comment)), PublicKey: k.Key.Text})
		return key, err
	})
	return err
}

// CloudTag is a tag that has to be there before something goes by it.
type CloudTag struct{ Tag string }

var (
	_ resource.Resource = (*CloudTag)(nil)
	_ Looker            = (*CloudTag)(nil)
)

// CloudTagID is the ID of a tag.
func CloudTagID(tag string) resource.ID { return resource.ID{Kind: "tag", Name: tag} }

func (t *CloudTag) ID() resource.ID        { return CloudTagID(t.Tag) }
func (t *CloudTag) Needs() []resource.ID   { return []resource.ID{CloudAccountID()} }
func (t *CloudTag) Probe(*resource.Script) {}

func (t *CloudTag) Look(l *Listing) resource.Fact {
	for _, tag := range l.Tags {
		if tag == t.Tag {
			return present()
		}
	}
	return absent()
}

func (t *CloudTag) Diff(w resource.World) []resource.Change {
	if _, know := w.Fact(t.ID()); know != resource.No {
		return nil
	}
	return []resource.Change{{ID: t.ID(), Act: resource.Add, Why: "the account does not have this tag"}}
}

func (t *CloudTag) Do(ctx context.Context, r *resource.Run, _ resource.Change) error {
	return makeTag(ctx, r, t.Tag)
}

// makeTag may be repeated: a tag is its name.
func makeTag(ctx context.Context, r *resource.Run, tag string) error {
	_, err := once(ctx, r, CloudTagID(tag), func(ctx context.Context) (*godo.Tag, error) {
		found, _, err := account(r).Tags.Get(ctx, tag)
		return found, ignoreStatus(err, 404)
	}, func(ctx context.Context) (*godo.Tag, error) {
		made, _, err := account(r).Tags.Create(ctx, &godo.TagCreateRequest{Name: tag})
		return made, err
	})
	return err
}

// Remember makes a tag that is on nothing and says something by its name.
func Remember(ctx context.Context, r *resource.Run, tag string) error { return makeTag(ctx, r, tag) }
