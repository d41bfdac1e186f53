package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
	"provision/provision"
)

func (c *cli) backupVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Make a backup now, and prove it",
		Long: `Makes a backup now, as the server host does by itself each day: of the database, the artifacts, and what
cannot be made anew (keys, tokens, authority, login). Then it is loaded into a database of its own and
compared, unless [backup] verify says otherwise. Flows run meanwhile. The first Ctrl-C gives it up; what
was backed up before stays.`,
		Example: "  provision backup -i onprem.toml",
	}
	return read(c, cmd, everything, func(ctx context.Context, p *provision.Pass, _ []string) (*backupResult, error) {
		b, err := p.Backup(ctx)
		if b == nil {
			return nil, err
		}
		return &backupResult{*b}, err
	})
}

type backupResult struct{ provision.Backup }

func (backupResult) Type() string { return "backup" }
func (r backupResult) Text(w io.Writer, s ui.Style) {
	fmt.Fprintln(w, ui.Backup(s, r.Backup))
}

func (c *cli) backupsVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backups",
		Short: "List the backups, with their verdicts",
		Long: `Lists the backups that the server host knows of, the newest first. "proved" is one that was loaded into a
database of its own, where each table had the rows that it was made of.`,
		Example: "  provision backups -i onprem.toml\n  provision backups -i onprem.toml --json",
	}
	return read(c, cmd, everything, func(ctx context.Context, p *provision.Pass, _ []string) (*backupsResult, error) {
		c.oneLine(p)
		all, err := p.Backups(ctx)
		if err != nil {
			return nil, err
		}
		return &backupsResult{all}, nil
	})
}

type backupsResult struct {
	Backups []provision.Backup `json:"backups"`
}

func (backupsResult) Type() string { return "backups" }
func (r backupsResult) Text(w io.Writer, s ui.Style) {
	if len(r.Backups) == 0 {
		fmt.Fprintln(w, "there is no backup yet; to make one: provision backup")
	}
	for _, b := range r.Backups {
		fmt.Fprintln(w, ui.Backup(s, b))
	}
}
