package digitaloceantest

import (
	"slices"

	gossh "golang.org/x/crypto/ssh"
)

// Key is an SSH key of the account.
type Key struct {
	ID                     int
	Name                   string
	Fingerprint, PublicKey string // fingerprint: MD5 in hex with colons
}

func (c *Cloud) getAccount(r *request) answer {
	account := object{
		"droplet_limit": c.options.DropletLimit, "floating_ip_limit": c.options.ReservedIPLimit, "reserved_ip_limit": c.options.ReservedIPLimit, "volume_limit": c.options.VolumeLimit, "email": "ops@example.org", "name": "Ops", "uuid": "b6fr89dbf6d9156cace5f3c78dc9851d957381ef",
		"email_verified": true, "status": c.options.Status, "status_message": "", "team": object{"uuid": "5df3e3004a17e242b7c20ca6c9fc25b701a47ece", "name": "My Team"},
	}
	c.hide(r, account, map[string]string{"droplet_limit": "droplet:read", "floating_ip_limit": "reserved_ip:read", "reserved_ip_limit": "reserved_ip:read", "volume_limit": "block_storage:read"})
	return ok(object{"account": account})
}

func showKey(k *Key) object {
	return object{"id": k.ID, "name": k.Name, "fingerprint": k.Fingerprint, "public_key": k.PublicKey}
}

func (c *Cloud) listKeys(r *request) answer { return page(r, "ssh_keys", c.keys, showKey) }

// key finds a key by its number or fingerprint.
func (c *Cloud) key(id string) *Key {
	for _, k := range c.keys {
		if k.Fingerprint == id || itoa(k.ID) == id {
			return k
		}
	}
	return nil
}

func (c *Cloud) getKey(r *request) answer {
	k := c.key(r.PathValue("key"))
	if k == nil {
		return notFound
	}
	return ok(object{"ssh_key": showKey(k)})
}

func (c *Cloud) createKey(r *request) answer {
	public, _, _, _, err := gossh.ParseAuthorizedKey([]byte(r.text("public_key")))
	switch {
	case r.text("name") == "":
		return invalid("Name can't be blank")
	case err != nil:
		return invalid("Fingerprint could not be generated, please make sure your key is valid")
	}
	k := &Key{Name: r.text("name"), PublicKey: r.text("public_key"), Fingerprint: gossh.FingerprintLegacyMD5(public)}
	if c.key(k.Fingerprint) != nil {
		return invalid("SSH Key is already in use on your account")
	}
	k.ID = c.number("key")
	c.keys = append(c.keys, k)
	return created(object{"ssh_key": showKey(k)})
}

func (c *Cloud) renameKey(r *request) answer {
	k := c.key(r.PathValue("key"))
	if k == nil {
		return notFound
	}
	if r.text("name") != "" {
		k.Name = r.text("name")
	}
	return ok(object{"ssh_key": showKey(k)})
}

func (c *Cloud) deleteKey(r *request) answer {
	k := c.key(r.PathValue("key"))
	if k == nil {
		return notFound
	}
	c.keys = without(c.keys, k)
	return done
}

func without[T comparable](all []T, gone T) []T {
	return slices.DeleteFunc(all, func(v T) bool { return v == gone })
}
