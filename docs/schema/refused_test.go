package schema

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// base is what an inventory needs.
const base = "[hosts.prefect]\naddress = \"10.0.0.11\"\nroles = [\"server\", \"agent\"]\n"

// cloud is what droplets need.
const cloud = "url = \"https://prefect.example.org\"\n[droplets.prefect]\nroles = [\"server\"]\n[digitalocean]\nname = \"prod\"\nregion = \"fra1\"\nssh_keys = [\"id.pub\"]\nadmin_cidrs = [\"203.0.113.7/32\"]\n"

// flow is a deployment.
const flow = "[[deployments]]\nflow = \"hello.py:hello\"\n"

// TestRefused has files that the schemas refuse, at the key that is wrong. The loader refuses each of them, too: an editor must
// not mark what provision takes.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, file, text, where string }{
		{"unknown key", "inventory", "ulr = \"https://x.example.org\"\n" + base, "ulr"},
		{"unknown table", "inventory", base + "[tsl]\nmode = \"internal\"", "tsl"},
		{"unknown key of a host", "inventory", base + "adress = \"x\"", "adress"},
		{"unknown key of a droplet", "inventory", cloud + "[droplets.w]\nroles = []\naddress = \"10.0.0.1\"", "address"},
		{"a host without an address", "inventory", "[hosts.a]\nroles = [\"server\"]", "address"},
		{"a host without roles", "inventory", base + "[hosts.b]\naddress = \"10.0.0.12\"", "roles"},
		{"an empty address", "inventory", "[hosts.a]\nroles = [\"server\"]\naddress = \"\"", "/hosts/a/address"},
		{"hosts as a list", "inventory", "[[hosts]]\naddress = \"10.0.0.11\"\nroles = [\"server\"]", "/hosts"},
		{"a host's name", "inventory", base + "[hosts.-x]\naddress = \"10.0.0.12\"\nroles = []", "/hosts"},
		{"a long name", "inventory", base + "[hosts." + strings.Repeat("a", 49) + "]\naddress = \"10.0.0.12\"\nroles = []", "/hosts"},
		{"a host without quotes", "inventory", "[hosts.web.example]\naddress = \"10.0.0.11\"\nroles = [\"server\"]", "example"},
		{"role", "inventory", "[hosts.a]\naddress = \"10.0.0.11\"\nroles = [\"worker\"]", "/hosts/a/roles/0"},
		{"role twice", "inventory", "[hosts.a]\naddress = \"10.0.0.11\"\nroles = [\"server\", \"server\"]", "/hosts/a/roles"},
		{"roles as a string", "inventory", "[hosts.a]\naddress = \"10.0.0.11\"\nroles = \"server\"", "/hosts/a/roles"},
		{"port", "inventory", base + "port = 65536", "/hosts/prefect/port"},
		{"port 0", "inventory", base + "port = 0", "/hosts/prefect/port"},
		{"port as a string", "inventory", base + "port = \"22\"", "/hosts/prefect/port"},
		{"concurrency", "inventory", base + "concurrency = 0", "/hosts/prefect/concurrency"},
		{"a half", "inventory", base + "concurrency = 1.5", "/hosts/prefect/concurrency"},
		{"queue", "inventory", base + "queues = [\"a b\"]", "/hosts/prefect/queues/0"},
		{"a long queue", "inventory", base + "queues = [\"" + strings.Repeat("a", 65) + "\"]", "/hosts/prefect/queues/0"},
		{"a host's queue", "inventory", base + "queues = [\"host-a\"]", "/hosts/prefect/queues/0"},
		{"queue twice", "inventory", base + "queues = [\"a\", \"a\"]", "/hosts/prefect/queues"},
		{"mode", "inventory", base + "[tls]\nmode = \"letsencrypt\"", "/tls/mode"},
		{"truth in quotes", "inventory", base + "[tls]\nallow_plaintext = \"true\"", "/tls/allow_plaintext"},
		{"host key checking", "inventory", base + "[ssh]\nhost_key_checking = \"off\"", "/ssh/host_key_checking"},
		{"duration", "inventory", base + "[ssh]\nconnect_timeout = \"10\"", "/ssh/connect_timeout"},
		{"duration as a number", "inventory", base + "[ssh]\nconnect_timeout = 10", "/ssh/connect_timeout"},
		{"a secret as it is", "inventory", base + "[sudo]\npassword = \"hunter2\"", "/sudo/password"},
		{"a secret without a form", "inventory", base + "[sudo]\npassword = {}", "/sudo/password"},
		{"a secret of two forms", "inventory", base + "[sudo]\npassword = { env = \"A\", file = \"a\" }", "/sudo/password"},
		{"a secret of another form", "inventory", base + "[sudo]\npassword = { vault = \"a\" }", "vault"},
		{"an account without keys", "inventory", strings.Replace(cloud, "ssh_keys", "#", 1), "ssh_keys"},
		{"an account with no keys", "inventory", strings.Replace(cloud, `["id.pub"]`, "[]", 1), "/digitalocean/ssh_keys"},
		{"an account without a name", "inventory", strings.Replace(cloud, "name", "#", 1), "name"},
		{"an account's name", "inventory", strings.Replace(cloud, `"prod"`, `"Prod"`, 1), "/digitalocean/name"},
		{"who may reach port 22", "inventory", strings.Replace(cloud, "203.0.113.7/32", "203.0.113.7", 1), "/digitalocean/admin_cidrs/0"},
		{"count", "inventory", cloud + "[droplets.w]\nroles = []\ncount = 0", "/droplets/w/count"},
		{"large count", "inventory", cloud + "[droplets.w]\nroles = []\ncount = 501", "/droplets/w/count"},
		{"volume", "inventory", cloud + "[droplets.w]\nroles = []\nvolume = \"20GB\"", "/droplets/w/volume"},
		{"volume as a number", "inventory", cloud + "[droplets.w]\nroles = []\nvolume = 20", "/droplets/w/volume"},

		{"unknown key of the stack", "stack", "nam = \"x\"", "nam"},
		{"unknown service", "stack", "[redis]\nimage = \"redis:7\"", "redis"},
		{"unknown key of a schedule", "stack", flow + "schedule = { cron = \"@daily\", tz = \"UTC\" }", "tz"},
		{"the stack's name", "stack", "name = \"Prefect\"", "/name"},
		{"Prefect 3", "stack", "[prefect]\nversion = \"3.8.3\"", "/prefect/version"},
		{"no image", "stack", "[caddy]\nimage = \"\"", "/caddy/image"},
		{"setting's name", "stack", "[prefect.settings]\nHOME = \"/\"", "/prefect/settings"},
		{"setting as a list", "stack", "[prefect.settings]\nPREFECT_X = [1]", "/prefect/settings/PREFECT_X"},
		{"login", "stack", "[ui]\nuser = \"a:b\"", "/ui/user"},
		{"password as it is", "stack", "[ui]\npassword = \"hunter2\"", "/ui/password"},
		{"no runs at once", "stack", "[agent]\nconcurrency = 0", "/agent/concurrency"},
		{"execution", "stack", "[business_logic]\nexecution = \"docker\"", "/business_logic/execution"},
		{"api", "stack", "[business_logic]\napi = \"some\"", "/business_logic/api"},
		{"grace", "stack", "[business_logic]\nstop_grace = \"soon\"", "/business_logic/stop_grace"},
		{"no flow", "stack", "[[deployments]]\nname = \"x\"", "flow"},
		{"no function", "stack", "[[deployments]]\nflow = \"hello.py\"", "/deployments/0/flow"},
		{"one deployment", "stack", "[deployments]\nflow = \"hello.py:hello\"", "/deployments"},
		{"schedule of both kinds", "stack", flow + "schedule = { cron = \"@daily\", interval = \"1h\" }", "/deployments/0/schedule"},
		{"schedule of neither kind", "stack", flow + "schedule = { timezone = \"UTC\" }", "/deployments/0/schedule"},
		{"tags as a string", "stack", flow + "tags = \"a\"", "/deployments/0/tags"},
		{"source", "stack", "[docker]\nsource = \"snap\"", "/docker/source"},
		{"a short key", "stack", "[docker]\nkey = \"0EBFCD88\"", "/docker/key"},
		{"subnet", "stack", "[docker.subnets]\nserver = \"10.210.0.0\"", "/docker/subnets/server"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := check(t, c.file, c.text)
			if err == nil {
				t.Fatalf("the schema takes\n%s", c.text)
			}
			// A key that is not known or missing is named in the words of its table, another is where the validator points.
			if want := "'" + c.where + "'"; !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not name %s", err, want)
			}
			path := filepath.Join(t.TempDir(), "file.toml")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if problems := files[c.file].load(path); len(problems) == 0 {
				t.Errorf("the loader takes\n%s", c.text)
			}
		})
	}
	// What the cases begin with is taken, and so is what is written in unusual ways.
	for _, c := range []struct{ name, text string }{
		{"inventory", base},
		{"inventory", cloud},
		{"inventory", base + "[ssh]\nconnect_timeout = \"1m30.0s\"\n[hosts.\"web.example\"]\naddress = \"::1\"\nroles = []\nqueues = []"},
		{"inventory", "[droplets.w]\nroles = []\nvolume = \"16384GiB\"\ncount = 500"},
		{"stack", ""},
		{"stack", flow + "schedule.interval = \"15m\"\nparameters = { a = 1, b = [1.5, { c = true }] }\n" + flow + "queue = \"host-a\"\nname = \"b\""},
		{"stack", "[prefect.settings]\nPREFECT_A = 1\nPREFECT_B = true\nPREFECT_C = 0.5\nPREFECT_D = \"x\""},
	} {
		if err := check(t, c.name, c.text); err != nil {
			t.Errorf("the schema refuses\n%s: %v", c.text, err)
		}
	}
}
