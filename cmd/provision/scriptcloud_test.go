package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/ssh"

	"provision/provision/cloud/digitalocean/digitaloceantest"
	"provision/remote/remotetest"
)

// cloudCommands are what scripts do with an account of DigitalOcean.
func cloudCommands() map[string]command {
	return map[string]command{
		// cloud makes an empty account, whose droplets are simulated hosts, and names it in the environment.
		"cloud": makeCloud,
		// refuses has the next call that matches answered with an error of that message.
		"refuses": func(ts *testscript.TestScript, neg bool, args []string) {
			want(ts, neg, len(args) == 3, "refuses MATCH STATUS MESSAGE")
			status, err := strconv.Atoi(args[1])
			ts.Check(err)
			labOf(ts).cloud.Fail(digitaloceantest.Fault{Match: args[0], Status: status, Message: args[2]})
		},
		// droplets prints the names of the droplets that there are.
		"droplets": func(ts *testscript.TestScript, neg bool, args []string) {
			want(ts, neg, len(args) == 0, "droplets")
			out := ts.Stdout()
			for _, d := range labOf(ts).cloud.Droplets() {
				fmt.Fprintln(out, d.Name)
			}
		},
	}
}

func makeCloud(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 0, "cloud")
	l := labOf(ts)
	var mu sync.Mutex
	machines := map[int]*remotetest.Host{}
	home := ts.Getenv("HOME")
	boot := func(d digitaloceantest.Droplet) (digitaloceantest.Machine, error) {
		var data struct {
			Keys struct {
				Private string `yaml:"ed25519_private"`
			} `yaml:"ssh_keys"`
		}
		if err := yaml.Unmarshal([]byte(d.UserData), &data); err != nil {
			return digitaloceantest.Machine{}, err
		}
		mu.Lock()
		defer mu.Unlock()
		address := fmt.Sprintf("127.0.20.%d", d.ID%250+1)
		h, err := l.fleet.Host(d.Name, remotetest.HostOptions{HostKey: []byte(data.Keys.Private), Address: address})
		if err != nil {
			return digitaloceantest.Machine{}, err
		}
		machines[d.ID] = h
		for _, v := range l.cloud.Volumes() {
			if slices.Contains(d.Volumes, v.ID) {
				h.Attach("scsi-0DO_Volume_"+v.Name, &remotetest.Disk{})
			}
		}
		config, err := os.OpenFile(home+"/.ssh/config", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return digitaloceantest.Machine{}, err
		}
		defer config.Close()
		_, err = fmt.Fprintf(config, "Host %s\n  Port %d\n", address, h.Port())
		return digitaloceantest.Machine{Address: address}, err
	}
	gone := func(d digitaloceantest.Droplet) {
		mu.Lock()
		defer mu.Unlock()
		if h := machines[d.ID]; h != nil {
			h.Close()
		}
	}
	ts.Check(os.MkdirAll(home+"/.ssh", 0o700))
	l.cloud = digitaloceantest.New(digitaloceantest.Options{Boot: boot, Gone: gone, ActionLooks: -1})
	ts.Defer(func() {
		if unknown := l.cloud.Unknown(); len(unknown) > 0 {
			ts.Logf("the account does not know: %v", unknown)
		}
		l.cloud.Close()
	})
	signer, err := ssh.ParsePrivateKey(l.fleet.ClientKeyPEM())
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("id_ed25519.pub"), ssh.MarshalAuthorizedKey(signer.PublicKey()), 0o600))
	ts.Setenv("DIGITALOCEAN_API_URL", l.cloud.URL())
	ts.Setenv("DIGITALOCEAN_TOKEN", digitaloceantest.Token)
	ts.Setenv("TOKEN_OF_IT", strings.TrimPrefix(digitaloceantest.Token, "dop_v1_"))
}
