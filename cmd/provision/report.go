package main

import (
	"errors"
	"os"
	"path/filepath"

	"provision/cmd/provision/ui"
	"provision/provision"
)

// reportTo prepares the page that apply --report writes. That the file can be written is found out
// before anything is changed.
func (c *cli) reportTo(path string, sys *provision.System) (finish func() error, err error) {
	t, err := sys.Topology()
	if err != nil {
		return nil, err
	}
	// Mode 0600, which it keeps: the page has what the hosts printed.
	f, err := os.CreateTemp(filepath.Dir(path), ".provision-report-*")
	if err != nil {
		return nil, provision.Usage("name a file in a directory that can be written", "write the report: %v", err)
	}
	c.page = ui.NewPage(t)
	return func() error {
		err := errors.Join(c.page.Write(f), f.Close())
		if err == nil {
			err = os.Rename(f.Name(), path)
		}
		if err != nil {
			return provision.Usage("name a file that can be written", "write the report: %v", errors.Join(err, os.Remove(f.Name())))
		}
		return nil
	}, nil
}
