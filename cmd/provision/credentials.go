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
	return read(c, cmd, everything, func(ctx context.Context, p *provision.Pass, _ []string) (*credentialsResult, error) {
		c.oneLine(p)
		login, err := p.Credentials(ctx)
		if err != nil {
			return nil, err
		}
		return &credentialsResult{login}, nil
	})
}

type credentialsResult struct{ provision.Login }

func (credentialsResult) Type() string { return "credentials" }
func (r credentialsResult) Text(w io.Writer, _ ui.Style) {
	fmt.Fprintf(w, "url       %s\nuser      %s\npassword  %s\n", r.URL, r.User, r.Password)
}
