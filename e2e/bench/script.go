//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"provision/provision"
	"provision/provision/resource"
)

// asking is one host and the script that provision asks it with: the others carry the very same.
type asking struct {
	host   string
	target string // USER@ADDRESS:PORT
	script string
	end    string // the last line of a whole answer
	// inTurn is the script as anybody writes it: the same commands, one after the other.
	inTurn string
}

// askings composes the scripts of all hosts of an inventory, as a pass does.
func askings(ctx context.Context, inventory string) ([]asking, error) {
	sys, err := provision.Load(ctx, inventory, "")
	if err != nil {
		return nil, err
	}
	var all []asking
	for _, h := range sys.Inventory.Hosts {
		s := resource.NewScript(rand.Text())
		for _, r := range sys.Resources {
			if r.ID().Host == h.Name {
				r.Probe(s)
			}
		}
		script := s.String()
		all = append(all, asking{h.Name, fmt.Sprintf("root@%s:%d", h.Address, max(h.Port, 22)), script, s.Nonce() + " e", strings.ReplaceAll(script, " | beside ", "\n")})
	}
	return all, nil
}

// ssh is a client's command line with nothing of the user's own settings.
func ssh(identity, known, target string, args ...string) []string {
	user, port, _ := strings.Cut(target, ":")
	return append([]string{
		"ssh", "-F", "none", "-i", identity, "-p", port,
		"-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=" + known, user,
	}, args...)
}

// sshScripts pipes a script into `ssh HOST sh -s` for each host, all hosts at once.
func (b *bench) sshScripts(identity, known string, all []asking, script func(asking) string) error {
	return together(len(all), func(n int) error {
		line := ssh(identity, known, all[n].target, "sh", "-s")
		cmd := command(b, line[0], line[1:]...)
		cmd.Stdin = strings.NewReader(script(all[n]))
		var out, said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &said
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w: %s", all[n].host, err, last(said.String(), 5))
		}
		if !strings.HasSuffix(strings.TrimSpace(out.String()), all[n].end) {
			return fmt.Errorf("%s: the answer is not whole", all[n].host)
		}
		return nil
	})
}

// bareScripts writes the scripts where the bare program finds them, and gives its command line.
func (b *bench) bareScripts(dir, identity, known string, all []asking) ([]string, error) {
	line := []string{b.bare, known, identity, dir}
	for n, a := range all {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(n)+".sh"), []byte(a.script), 0o600); err != nil {
			return nil, err
		}
		line = append(line, a.target)
	}
	return line, nil
}
