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
		h, err := l.fleet.Host(d.Name, remotetest.HostOptions{HostKey: []byte(data.Keys.Private), Address: remotetest.OwnAddress})
		if err != nil {
			return digitaloceantest.Machine{}, err
		}
		machines[d.ID] = h
		for _, v := range l.cloud.Volumes() {
			if slices.Contains(d.Volumes, v.ID) {
				h.Attach("scsi-0DO_Volume_"+v.Name, &remotetest.Disk{})
			}
		}
		return digitaloceantest.Machine{Address: h.IP()}, nil
	}
	gone := func(d digitaloceantest.Droplet) {
		mu.Lock()
		defer mu.Unlock()
		if h := machines[d.ID]; h != nil {
			h.Close()
		}
	}
	home := ts.Getenv("HOME")
	ts.Check(os.MkdirAll(home+"/.ssh", 0o700))
	ts.Check(os.WriteFile(home+"/.ssh/config", fmt.Appendf(nil, "Host %s\n  Port %d\n", remotetest.OwnAddress, remotetest.OwnPort), 0o600))
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
