//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"provision/e2e/lab"
)

// site is a lab with a server host and agent hosts.
type site struct {
	*lab.Lab
	hosts     []*lab.Host
	inventory string
}

// withSite boots blank hosts, and removes them when f has ended.
func (b *bench) withSite(name string, agents int, packages []string, f func(*site) error) (err error) {
	l, err := lab.New(b, lab.Options{Name: name, Log: say})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(b.Context), 2*time.Minute)
		defer cancel()
		err = errors.Join(err, l.Close(ctx))
	}()
	if err := l.StartMirror(b); err != nil {
		return err
	}
	s := &site{Lab: l}
	for n := range agents + 1 {
		o := lab.HostOptions{Name: "prefect", Packages: packages}
		if n > 0 {
			o.Name = fmt.Sprintf("worker-%d", n)
		}
		h, err := l.Host(b, o)
		if err != nil {
			return err
		}
		s.hosts = append(s.hosts, h)
	}
	if s.inventory, err = l.WriteInventory(b); err != nil {
		return err
	}
	return f(s)
}

// blank makes all hosts as they were at first.
func (b *bench) blank(s *site) error {
	return together(len(s.hosts), func(n int) error { return s.hosts[n].Blank(b) })
}
