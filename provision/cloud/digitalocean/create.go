package digitalocean

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/digitalocean/godo"
	"golang.org/x/crypto/ssh"

	"provision/provision/cloud/digitalocean/declared"
	"provision/provision/resource"
	"provision/remote"
)

// errUnborn is of a droplet whose creation was accepted and has failed.
var errUnborn = errors.New("its creation has failed")

// creations are how often a droplet is asked for in one apply.
const creations = 3

// running returns the host's droplet once it runs, and makes it if there is none. A creation that is accepted may fail later, with
// or without a droplet that is left over and never starts. That one is removed, and another one is asked for.
func (d *Droplet) running(ctx context.Context, r *resource.Run) (*godo.Droplet, error) {
	for try := 1; ; try++ {
		one, action, err := d.have(ctx, r)
		if err != nil {
			return nil, err
		}
		now, err := d.active(ctx, r, one.ID, action)
		if !errors.Is(err, errUnborn) {
			return now, err
		}
		r.Progress(d.ID(), "DigitalOcean could not make droplet %d: %s; removing what is left of it", one.ID, clean(err.Error()))
		if problem := Destroy(ctx, r, *one); problem != nil {
			return nil, errors.Join(err, problem)
		}
		if try == creations {
			return nil, fmt.Errorf("DigitalOcean accepted its creation %d times, and could not make it each time (%w); another size or region may have room", try, err)
		}
	}
}

// comes is errUnborn where a droplet that is not there yet will not come.
func (d *Droplet) comes(ctx context.Context, r *resource.Run, id, action int) (err error) {
	var creation *godo.Action
	if action != 0 {
		creation, _, err = account(r).Actions.Get(ctx, action)
	} else {
		creation, err = account(r).Creation(ctx, id)
	}
	if creation == nil || err != nil {
		return ignoreStatus(err, 404)
	}
	if _, err := Ended(creation); err != nil {
		return fmt.Errorf("%w: %w", errUnborn, err)
	}
	return nil
}

// have returns the host's droplet and makes it if there is none. action is that of its creation, where this has just made it.
//
// The API makes as many as it is asked for and knows no name twice. So the tag of the name is
// written first: whoever finds the tag without a droplet knows that one may be on its way, and looks
// for a while before making one. A create is sent once. Where its reply is lost, the droplet is
// looked for by its tags. Two who come at the same moment both see both, and agree on the one that counts.
func (d *Droplet) have(ctx context.Context, r *resource.Run) (found *godo.Droplet, action int, err error) {
	name := d.D.NameTag(d.Host.Name)
	first := func(ctx context.Context) (*godo.Droplet, error) {
		found, err := account(r).Named(ctx, d.D, d.Host.Name)
		if len(found) == 0 {
			return nil, err
		}
		return &found[0], err
	}
	one, err := first(ctx)
	if one != nil || err != nil {
		return one, 0, err
	}
	_, _, err = account(r).Tags.Get(ctx, name)
	switch {
	case Missing(err):
		if err := makeTag(ctx, r, name); err != nil {
			return nil, 0, err
		}
	case err != nil:
		return nil, 0, err
	default:
		r.Progress(d.ID(), "somebody meant to create it before; looking for it")
		err := account(r).Appears(ctx, "it is listed", func(ctx context.Context) (bool, error) {
			one, err = first(ctx)
			return one != nil, err
		})
		if one != nil || ctx.Err() != nil {
			return one, 0, err
		}
	}
	return d.create(ctx, r)
}

func (d *Droplet) create(ctx context.Context, r *resource.Run) (one *godo.Droplet, action int, err error) {
	request, sum, err := d.request(ctx, r)
	if err != nil {
		return nil, 0, err
	}
	volumes, err := d.free(ctx, r)
	if err != nil {
		return nil, 0, err
	}
	made, action, lost := account(r).CreateDroplet(ctx, request, volumes...)
	if lost != nil && Refused(lost) {
		return nil, 0, lost
	}
	if lost != nil {
		r.Progress(d.ID(), "the reply was lost; looking whether it was made")
	} else {
		r.Progress(d.ID(), "droplet %d is being created", made.ID)
	}
	// What was made here is the one with this key; it counts if nobody's is older.
	var found []godo.Droplet
	mine := -1
	err = account(r).Appears(ctx, "the new droplet is listed", func(ctx context.Context) (bool, error) {
		var err error
		found, err = account(r).Named(ctx, d.D, d.Host.Name)
		for n := range found {
			if declared.BirthKey(found[n].Tags) == sum || made != nil && found[n].ID == made.ID {
				mine = n
			}
		}
		if err == nil && mine < 0 && made != nil {
			err = d.comes(ctx, r, made.ID, action)
		}
		return mine >= 0, err
	})
	switch {
	case err != nil && lost != nil:
		return nil, 0, fmt.Errorf("%w; whether the droplet was made is not known: %w", lost, err)
	case err != nil && made != nil && ctx.Err() == nil:
		// It exists, and whoever comes next sees it by its tag; or it has failed already, which is seen where it is waited for.
		made.Tags = request.Tags
		return made, action, nil
	case err != nil:
		return nil, 0, err
	case mine > 0:
		r.Progress(d.ID(), "somebody else has made it at the same moment; removing the second one")
		if err := Destroy(ctx, r, found[mine]); err != nil {
			return nil, 0, err
		}
		return &found[0], 0, nil
	}
	return &found[0], action, nil
}

// request is the whole of what it is created with. The private key in it exists in memory only.
func (d *Droplet) request(ctx context.Context, r *resource.Run) (request *godo.DropletCreateRequest, sum string, err error) {
	want := dropletOf(d.Host)
	network, err := d.Network.find(ctx, account(r))
	if err == nil && network == nil {
		err = errors.New("its private network is gone")
	}
	if err != nil {
		return nil, "", err
	}
	data, sum, err := userData()
	if err != nil {
		return nil, "", err
	}
	request = &godo.DropletCreateRequest{
		Name: d.Host.Name, Region: want.Region, Size: want.Size, Image: image(want.Image), SSHKeys: []godo.DropletCreateSSHKey{},
		Monitoring: d.D.Monitoring, Backups: d.D.Backups, VPCUUID: network.ID, UserData: data,
		Tags: append(d.tags(), declared.HostKeyTag(sum), declared.BirthTag(sum)),
	}
	if d.D.Backups {
		request.BackupPolicy = BackupPolicy()
	}
	for _, print := range d.Prints {
		request.SSHKeys = append(request.SSHKeys, godo.DropletCreateSSHKey{Fingerprint: print})
	}
	return request, sum, nil
}

// image is named by its slug or its number.
func image(name string) godo.DropletCreateImage {
	if id, err := strconv.Atoi(name); err == nil {
		return godo.DropletCreateImage{ID: id}
	}
	return godo.DropletCreateImage{Slug: name}
}

// free is the volume that it is created with: one that is still attached elsewhere follows later.
func (d *Droplet) free(ctx context.Context, r *resource.Run) (ids []string, err error) {
	if d.Volume == nil {
		return nil, nil
	}
	volume, err := d.Volume.find(ctx, account(r))
	if err == nil && volume == nil {
		err = errors.New("its volume is gone")
	}
	if err == nil && len(volume.DropletIDs) == 0 {
		ids = append(ids, volume.ID)
	}
	return ids, err
}

// userData gives the machine its first host key. Any program on it can read user data as long as it
// lives, so this key serves for one login, and there is nothing else in it.
func userData() (text, sum string, err error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", "", err
	}
	block, err := ssh.MarshalPrivateKey(private, "first login")
	if err != nil {
		return "", "", err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return "", "", err
	}
	var b strings.Builder
	b.WriteString("#cloud-config\nssh_deletekeys: true\nssh_keys:\n  ed25519_private: |\n")
	for line := range strings.Lines(string(pem.EncodeToMemory(block))) {
		b.WriteString("    " + line)
	}
	fmt.Fprintf(&b, "  ed25519_public: %s", ssh.MarshalAuthorizedKey(key))
	return b.String(), remote.HostKeySum(key), nil
}
