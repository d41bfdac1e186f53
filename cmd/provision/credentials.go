package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
	"provision/provision"
)

func (c *cli) credentialsVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "credentials",
		Short:   "Show the UI's URL, user and password (needs root on the server)",
		Example: "  provision credentials -i onprem.toml",
	}
	recovery := cmd.Flags().Bool("recovery", false, "show what opens the backups, too: keep it where none of the hosts is")
	return read(c, cmd, everything, func(ctx context.Context, p *provision.Pass, _ []string) (*credentialsResult, error) {
		c.oneLine(p)
		login, err := p.Credentials(ctx)
		if err != nil {
			return nil, err
		}
		r := &credentialsResult{Login: login}
		if *recovery {
			if r.Recovery, err = p.Recovery(ctx); err != nil {
				return nil, err
			}
		}
		return r, nil
	})
}

type credentialsResult struct {
	provision.Login
	Recovery *provision.Recovery `json:"recovery,omitempty"`
}

func (credentialsResult) Type() string { return "credentials" }
func (r credentialsResult) Text(w io.Writer, _ ui.Style) {
	fmt.Fprintf(w, "url       %s\nuser      %s\npassword  %s\n", r.URL, r.User, r.Password)
	if k := r.Recovery; k != nil {
		fmt.Fprintf(w, "\nThis opens the backups of the stack %s. Keep it where none of the hosts is.\nrepository  %s\npassword    %s\n", k.Stack, k.Repository, k.Password)
	}
}
