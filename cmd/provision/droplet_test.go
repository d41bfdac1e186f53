package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"provision/provision/cloud/digitalocean/digitaloceantest"
)

// somePublicKey is one in OpenSSH's form whose private key nobody has.
func somePublicKey(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(key))
}

// account is the fake of the API with an inventory that declares droplets in it.
func account(t *testing.T) (cloud *digitaloceantest.Cloud, file string) {
	t.Helper()
	cloud = digitaloceantest.New(digitaloceantest.Options{})
	t.Cleanup(cloud.Close)
	dir := t.TempDir()
	file = filepath.Join(dir, "prod.toml")
	for name, text := range map[string]string{
		filepath.Join(dir, "id.pub"): somePublicKey(t),
		file: `url = "https://prefect.example.org"
[digitalocean]
name = "prod"
region = "fra1"
ssh_keys = ["id.pub"]
admin_cidrs = ["203.0.113.7/32"]
[droplets.prefect]
roles = ["server"]
volume = "20GiB"
[droplets.worker]
roles = ["agent"]
count = 2
size = "s-4vcpu-8gb"
`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("DIGITALOCEAN_API_URL", cloud.URL())
	t.Setenv("DIGITALOCEAN_ACCESS_TOKEN", digitaloceantest.Token)
	return cloud, file
}

// made is a droplet that somebody else's machine has made.
func made(t *testing.T, cloud *digitaloceantest.Cloud, name string, tags ...string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"name": name, "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64", "ssh_keys": []string{}, "tags": tags})
	if err != nil {
		t.Fatal(err)
	}
	q, err := http.NewRequest(http.MethodPost, cloud.URL()+"/v2/droplets", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+digitaloceantest.Token)
	q.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(q)
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	cloud.Finish()
}

func TestDroplets(t *testing.T) {
	cloud, file := account(t)
	made(t, cloud, "worker-9", "provision:prod", "provision:prod:name:worker-9", "provision:birth:aa")
	made(t, cloud, "web", "web")
	said := func(code int, words []string, args ...string) string {
		t.Helper()
		got, out, errs := capture(t, append(args, "-i", file)...)
		if got != code {
			t.Errorf("%v: exit %d, want %d\n%s%s", args, got, code, out, errs)
		}
		for _, w := range words {
			if !strings.Contains(out+errs, w) {
				t.Errorf("%v does not say %q:\n%s%s", args, w, out, errs)
			}
		}
		if strings.Contains(out+errs, digitaloceantest.Token) || strings.Contains(out+errs, "web") {
			t.Errorf("%v says too much:\n%s%s", args, out, errs)
		}
		return out
	}
	said(0, []string{"prefect   -", "missing", "worker-2  -", "$48.00", "worker-9", "not declared"}, "droplet", "list")
	orphans := said(0, []string{"worker-9"}, "droplet", "list", "--orphans")
	if strings.Contains(orphans, "worker-1") {
		t.Errorf("a declared one is an orphan:\n%s", orphans)
	}
	var answer struct{ Droplets []map[string]any }
	valid := schema(t)
	documented := func(out string) {
		t.Helper()
		for line := range strings.Lines(out) {
			if err := valid(line); err != nil {
				t.Errorf("%v\n%s", err, line)
			}
		}
	}
	list := said(0, nil, "droplet", "list", "--json")
	documented(list)
	documented(said(0, nil, "plan", "--json"))
	if err := json.Unmarshal([]byte(list), &answer); err != nil || len(answer.Droplets) != 4 {
		t.Errorf("%v %v", answer, err)
	}
	said(0, []string{
		"DigitalOcean\n", "+ add droplet prefect: the droplet does not exist: s-2vcpu-4gb, debian-13-x64, fra1", "$24.00 a month", "$48.00 a month",
		" on 3 hosts and the account: ", "\n1 resource of the account unchanged\ndroplets: $120.00 a month; with volumes $122.00\n",
		"prefect\n", "+ add container prefect-caddy", "warning: droplet worker-9 (id ", "provision apply --prune",
	}, "plan")
	said(0, []string{"- remove droplet worker-9 (id "}, "plan", "--prune")
	status := said(0, []string{"prefect  -  server\n  the droplet does not exist yet\n", "worker-2  -  agent\n  the droplet does not exist yet\n", "next: provision apply -i " + file}, "status")
	if strings.Contains(status, "unknown") || strings.Contains(status, "problem") || strings.Contains(status, "runs here") {
		t.Errorf("of what does not exist nothing is known:\n%s", status)
	}
	documented(said(0, []string{`"absent":true`}, "status", "--json"))
	documented(said(0, []string{`"region":"fra1"`}, "graph", "--json"))
	said(3, []string{"must be confirmed"}, "droplet", "create", "worker-1")
	said(3, []string{"there is no droplet nobody in"}, "droplet", "create", "nobody")
	said(3, []string{"there is no droplet nobody with the tag provision:prod"}, "droplet", "destroy", "nobody")
	said(3, []string{"--confirm worker-9"}, "droplet", "destroy", "worker-9")
	said(3, []string{"--confirm worker-9"}, "droplet", "destroy", "worker-9", "--yes")
	said(3, []string{"worker-9 has no volume", "leave out --with-volume"}, "droplet", "destroy", "worker-9", "--with-volume", "--confirm", "worker-9")
	if n := len(cloud.Droplets()); n != 2 || cloud.Count("^DELETE ") != 0 {
		t.Fatalf("%d droplets are left", n)
	}
	documented(said(0, []string{`"name":"worker-9"`, `"left":[]`}, "droplet", "destroy", "worker-9", "--confirm", "worker-9", "--json"))
	if d := cloud.Droplets(); len(d) != 1 || d[0].Name != "web" {
		t.Errorf("%+v", d)
	}
	for _, tag := range cloud.Tags() {
		if strings.Contains(tag, "worker-9") {
			t.Errorf("the tag %s is left", tag)
		}
	}
	t.Setenv("DIGITALOCEAN_ACCESS_TOKEN", "dop_v1_"+strings.Repeat("1", 64))
	said(30, []string{"the API answered 401", "docs/digitalocean.md"}, "droplet", "list")
	if err := os.Unsetenv("DIGITALOCEAN_ACCESS_TOKEN"); err != nil {
		t.Fatal(err)
	}
	said(3, []string{"no token", "export DIGITALOCEAN_TOKEN"}, "droplet", "list")
	if out := said(3, []string{"no token"}, "status"); out != "" {
		t.Errorf("status without a token shows\n%s", out)
	}
	if code, _, errs := capture(t, "droplet", "lst"); code != 3 || !strings.Contains(errs, `unknown command "droplet lst"`) {
		t.Errorf("%d %s", code, fmt.Sprint(errs))
	}
}

// What init writes works with either variable, as it is.
func TestWhatInitWritesTakesEitherToken(t *testing.T) {
	account(t)
	page, err := os.ReadFile("../../docs/digitalocean.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("DIGITALOCEAN_TOKEN", "") // as where nothing is set
	if err := os.MkdirAll(filepath.Join(dir, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".ssh", "id_ed25519.pub"), []byte(somePublicKey(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if code, out, errs := capture(t, "init", "--digitalocean"); code != 0 {
		t.Fatal(out, errs)
	}
	if code, out, errs := capture(t, "droplet", "list", "-i", "prod.toml"); code != 0 || !strings.Contains(out, "worker-2") || !strings.Contains(out, "declared: $122.00 a month") {
		t.Error(code, out, errs)
	}
	if !strings.Contains(string(page), "that is $122 a month") {
		t.Error("docs/digitalocean.md has another price than what init writes")
	}
}
