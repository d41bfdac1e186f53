package digitalocean

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/digitalocean/godo"

	"provision/provision/cloud"
	"provision/provision/cloud/digitalocean/declared"
)

// An answer of success without its object is an error of the call for every call that is made, by its name, and never an empty account.
func TestAnAnswerWithoutItsObjectIsAnError(t *testing.T) {
	t.Setenv("DIGITALOCEAN_TOKEN", "dop_v1_test")
	body := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("content-type", "application/json")
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
		}
		_, _ = w.Write([]byte(body))
	}))
	defer server.Close()
	d := &declared.Account{Name: "prod", APIURL: server.URL}
	a, err := open(context.Background(), d, "", cloud.Pace{Pause: time.Millisecond, Call: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	o := &godo.ListOptions{}
	calls := map[string]func(context.Context) (any, error){
		"account": func(c context.Context) (any, error) { v, _, err := a.Account.Get(c); return v, err },
		"action":  func(c context.Context) (any, error) { v, _, err := a.Actions.Get(c, 1); return v, err },
		"actions": func(c context.Context) (any, error) { v, err := a.Creation(c, 1); return v, err },
		"sizes":   func(c context.Context) (any, error) { v, _, err := a.Sizes.List(c, o); return v, err },
		"regions": func(c context.Context) (any, error) { v, _, err := a.Regions.List(c, o); return v, err },
		"images":  func(c context.Context) (any, error) { v, _, err := a.Images.ListDistribution(c, o); return v, err },
		"image":   func(c context.Context) (any, error) { v, _, err := a.Images.GetBySlug(c, "x"); return v, err },
		"ssh_key": func(c context.Context) (any, error) { v, _, err := a.Keys.GetByFingerprint(c, "x"); return v, err },
		"ssh_key made": func(c context.Context) (any, error) {
			v, _, err := a.Keys.Create(c, &godo.KeyCreateRequest{})
			return v, err
		},
		"tags": func(c context.Context) (any, error) { v, err := a.TagNames(c); return v, err },
		"tag":  func(c context.Context) (any, error) { v, _, err := a.Tags.Get(c, "x"); return v, err },
		"tag made": func(c context.Context) (any, error) {
			v, _, err := a.Tags.Create(c, &godo.TagCreateRequest{})
			return v, err
		},
		"vpcs": func(c context.Context) (any, error) { v, err := a.Networks(c); return v, err },
		"vpc made": func(c context.Context) (any, error) {
			v, _, err := a.VPCs.Create(c, &godo.VPCCreateRequest{})
			return v, err
		},
		"firewalls": func(c context.Context) (any, error) { v, err := a.FirewallList(c); return v, err },
		"firewall made": func(c context.Context) (any, error) {
			v, _, err := a.Firewalls.Create(c, &godo.FirewallRequest{})
			return v, err
		},
		"firewall": func(c context.Context) (any, error) {
			v, _, err := a.Firewalls.Update(c, "x", &godo.FirewallRequest{})
			return v, err
		},
		"droplets": func(c context.Context) (any, error) { v, err := a.Named(c, d, "x"); return v, err },
		"droplet":  func(c context.Context) (any, error) { v, _, err := a.Droplets.Get(c, 1); return v, err },
		"droplet made": func(c context.Context) (any, error) {
			v, _, err := a.CreateDroplet(c, &godo.DropletCreateRequest{})
			return v, err
		},
		"action begun": func(c context.Context) (any, error) { v, _, err := a.DropletActions.Shutdown(c, 1); return v, err },
		"volumes":      func(c context.Context) (any, error) { v, err := a.Volumes(c, "x"); return v, err },
		"volume":       func(c context.Context) (any, error) { v, _, err := a.Storage.GetVolume(c, "x"); return v, err },
		"volume made": func(c context.Context) (any, error) {
			v, _, err := a.Storage.CreateVolume(c, &godo.VolumeCreateRequest{})
			return v, err
		},
		"action of volume": func(c context.Context) (any, error) { v, _, err := a.StorageActions.Attach(c, "x", 1); return v, err },
		"reserved_ips":     func(c context.Context) (any, error) { v, err := a.Reserved(c); return v, err },
		"reserved_ip":      func(c context.Context) (any, error) { v, _, err := a.ReservedIPs.Get(c, "203.0.113.9"); return v, err },
		"reserved_ip made": func(c context.Context) (any, error) {
			v, _, err := a.ReservedIPs.Create(c, &godo.ReservedIPCreateRequest{DropletID: 1})
			return v, err
		},
		"action of address": func(c context.Context) (any, error) {
			v, _, err := a.ReservedIPActions.Assign(c, "203.0.113.9", 1)
			return v, err
		},
		"domain_records": func(c context.Context) (any, error) {
			v, err := a.RecordsOf(c, "example.org", "x.example.org")
			return v, err
		},
		"domain_record made": func(c context.Context) (any, error) {
			v, _, err := a.Domains.CreateRecord(c, "example.org", &godo.DomainRecordEditRequest{})
			return v, err
		},
		"domain_record": func(c context.Context) (any, error) {
			v, _, err := a.Domains.EditRecord(c, "example.org", 1, &godo.DomainRecordEditRequest{})
			return v, err
		},
		"projects": func(c context.Context) (any, error) { v, err := a.ProjectList(c); return v, err },
		"project made": func(c context.Context) (any, error) {
			v, _, err := a.Projects.Create(c, &godo.CreateProjectRequest{})
			return v, err
		},
		"resources": func(c context.Context) (any, error) { v, _, err := a.Projects.ListResources(c, "x", o); return v, err },
		"resources assigned": func(c context.Context) (any, error) {
			v, _, err := a.Projects.AssignResources(c, "x", "do:droplet:1")
			return v, err
		},
	}
	for name, call := range calls {
		for _, body = range []string{"", "{}", `{"links": {}, "meta": {"total": 0}}`, "null", "[]", "<html>", `{"NAME": null, "NAMEs": null}`, `{"NAME": "x", "NAMEs": 1}`, `{"NAMEs": [null]}`} {
			body = strings.ReplaceAll(body, "NAME", strings.TrimSuffix(strings.Fields(name)[0], "s"))
			v, err := call(context.Background())
			if err == nil {
				t.Errorf("%s: %q is taken for %v", name, body, v)
			} else if Refused(err) {
				t.Errorf("%s: %q is taken for a refusal, and something may have been made: %v", name, body, err)
			}
		}
	}
}
