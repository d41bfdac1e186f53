package digitaloceantest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/digitalocean/godo"
)

func TestRefusals(t *testing.T) {
	c := New(Options{Tokens: map[string][]string{"dop_v1_reader": {"account:read"}}})
	t.Cleanup(c.Close)
	refusals(t, c, c.URL())
}

// refusals are what the account answers to calls that are not to be carried out.
func refusals(t *testing.T, c *Cloud, url string) {
	g := client(t, url, Token)
	for _, name := range []string{"ok"} {
		must(g.Tags.Create(within(t), &godo.TagCreateRequest{Name: name}))(t)
	}
	droplet := func(change func(*godo.DropletCreateRequest)) func(*godo.Client) error {
		return func(g *godo.Client) error {
			want := dropletRequest("prefect")
			change(want)
			_, _, err := g.Droplets.Create(within(t), want)
			return err
		}
	}
	const forbidden = "You are not authorized to perform this operation"
	for _, test := range []struct {
		name, token string
		call        func(*godo.Client) error
		status      int
		message     string
	}{
		{"bad token", "dop_v1_wrong", func(g *godo.Client) error { _, _, err := g.Account.Get(within(t)); return err }, 401, "Unable to authenticate you."},
		{"scope", "dop_v1_reader", func(g *godo.Client) error { _, _, err := g.Droplets.List(within(t), nil); return err }, 403, forbidden},
		{"no such droplet", Token, func(g *godo.Client) error { _, _, err := g.Droplets.Get(within(t), 1); return err }, 404, "The resource you requested could not be found."},
		{"region", Token, droplet(func(d *godo.DropletCreateRequest) { d.Region = "fra9" }), 422, "You specified an invalid region for Droplet creation."},
		{"region that is full", Token, droplet(func(d *godo.DropletCreateRequest) { d.Region = "nyc2" }), 422, "You specified an invalid region for Droplet creation."},
		{"size", Token, droplet(func(d *godo.DropletCreateRequest) { d.Size = "s-3vcpu-1gb" }), 422, "You specified an invalid size for Droplet creation."},
		{"no size", Token, droplet(func(d *godo.DropletCreateRequest) { d.Size = "" }), 422, "You specified an invalid size for Droplet creation."},
		{"size elsewhere", Token, droplet(func(d *godo.DropletCreateRequest) { d.Size, d.Region = "c-2", "lon1" }), 422, "Size is not available in this region."},
		{"image", Token, droplet(func(d *godo.DropletCreateRequest) { d.Image.Slug = "debian-7-x64" }), 422, "You specified an invalid image for Droplet creation."},
		{"key", Token, droplet(func(d *godo.DropletCreateRequest) { d.SSHKeys = []godo.DropletCreateSSHKey{{Fingerprint: "3b:16"}} }), 422, "3b:16 are invalid key identifiers for Droplet creation."},
		{"vpc", Token, droplet(func(d *godo.DropletCreateRequest) { d.VPCUUID = "760e09ef-dc84-11e8-981e-3cfdfeaae000" }), 422, "You specified an invalid VPC for Droplet creation."},
		{"user data", Token, droplet(func(d *godo.DropletCreateRequest) { d.UserData = strings.Repeat("x", 64<<10+1) }), 422, "User data is too long (maximum is 64 KiB)"},
		{"tag", Token, droplet(func(d *godo.DropletCreateRequest) { d.Tags = []string{"with blank"} }), 422, "Tags: with blank is not a valid tag name"},
		{"volume name", Token, func(g *godo.Client) error {
			_, _, err := g.Storage.CreateVolume(within(t), &godo.VolumeCreateRequest{Name: "Data", Region: "fra1", SizeGigaBytes: 1})
			return err
		}, 422, "name must be lowercase, begin with a letter, and be composed of letters, numbers and dashes, up to 64 characters"},
		{"firewall of an unknown tag", Token, func(g *godo.Client) error {
			_, _, err := g.Firewalls.Create(within(t), firewallRequest("prod", "unknown"))
			return err
		}, 422, "tag unknown does not exist"},
		{"record", Token, func(g *godo.Client) error {
			_, _, err := g.Domains.CreateRecord(within(t), "example.net", &godo.DomainRecordEditRequest{Type: "A", Name: "x", Data: "203.0.113.1"})
			return err
		}, 404, "The resource you requested could not be found."},
		{"key that is none", Token, func(g *godo.Client) error {
			_, _, err := g.Keys.Create(within(t), &godo.KeyCreateRequest{Name: "x", PublicKey: "ssh-ed25519 x"})
			return err
		}, 422, "Fingerprint could not be generated, please make sure your key is valid"},
	} {
		t.Run(test.name, func(t *testing.T) { wants(t, test.call(client(t, url, test.token)), test.status, test.message) })
	}
	if n := len(c.Droplets()); n != 0 {
		t.Errorf("%d droplets", n)
	}
	if tags := c.Tags(); len(tags) != 1 {
		t.Errorf("tags: %v", tags)
	}
}

// What the description of the API itself refuses, a client may not get through the fake either.
func TestForm(t *testing.T) {
	c, _ := start(t, Options{})
	const base = `"region":"fra1","size":"s-2vcpu-4gb","image":"debian-13-x64"`
	for _, test := range []struct {
		name, path, body string
		status           int
		message          string
	}{
		{"null keys", "/v2/droplets", `{"name":"x","ssh_keys":null,` + base + `}`, 422, "ssh_keys must be of type []id."},
		{"null user data", "/v2/droplets", `{"name":"x","user_data":null,` + base + `}`, 422, "user_data must be of type string."},
		{"no image", "/v2/droplets", `{"name":"x","region":"fra1","size":"s-2vcpu-4gb"}`, 422, "image is required."},
		{"name", "/v2/droplets", `{"name":"pre fect",` + base + `}`, 422, "Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)"},
		{"no name", "/v2/droplets", `{` + base + `}`, 422, "Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)"},
		{"text for a number", "/v2/volumes", `{"name":"x","region":"fra1","size_gigabytes":"10"}`, 422, "size_gigabytes must be of type integer."},
		{"no JSON", "/v2/volumes", `{`, 400, "The request body could not be parsed."},
		{"vpc name", "/v2/vpcs", `{"name":"my vpc","region":"fra1"}`, 422, "name: may only contain letters, numbers, dashes, and periods"},
		{"unknown call", "/v2/databases", `{}`, 404, "The resource you requested could not be found."},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(within(t), http.MethodPost, c.URL()+test.path, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+Token)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer http.DefaultClient.CloseIdleConnections()
			defer resp.Body.Close()
			raw, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			var got struct{ ID, Message string }
			if err := json.Unmarshal(raw, &got); err != nil {
				t.Fatalf("%s: %v", raw, err)
			}
			if resp.StatusCode != test.status || got.Message != test.message || got.ID == "" {
				t.Errorf("got %d %s; want %d %s", resp.StatusCode, raw, test.status, test.message)
			}
		})
	}
	if u := c.Unknown(); len(u) != 1 || u[0].String() != "POST /v2/databases" {
		t.Errorf("unknown: %v", u)
	}
}
