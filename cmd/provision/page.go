package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"provision/cmd/provision/ui"
	"provision/provision"
	"provision/provision/report"
)

// apply carries a pass out, and writes what was done as a page into a file where one is named. That the file can be written is found
// out before anything is changed.
func (c *cli) apply(now, stop context.Context, p *provision.Pass, page string) (*report.Report, error) {
	if page == "" {
		return p.Apply(now, stop)
	}
	t, err := p.System.Topology()
	if err != nil {
		return nil, err
	}
	// Mode 0600, which it keeps: the page has what the hosts printed.
	f, err := os.CreateTemp(filepath.Dir(page), ".provision-report-*")
	if err != nil {
		return nil, report.Usage("name a file in a directory that can be written", "write the report: %v", err)
	}
	c.page = ui.NewPage(t)
	result, err := p.Apply(now, stop)
	bad := errors.Join(c.page.Write(f), f.Close())
	if bad == nil {
		bad = os.Rename(f.Name(), page)
	}
	if bad != nil {
		bad = report.Usage("name a file that can be written", "write the report: %v", errors.Join(bad, os.Remove(f.Name())))
	}
	return result, errors.Join(err, bad)
}
