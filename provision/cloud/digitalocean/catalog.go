package digitalocean

import (
	"context"
	"strconv"

	"github.com/digitalocean/godo"
	"golang.org/x/sync/errgroup"

	"provision/inventory"
	"provision/provision/cloud/digitalocean/declared"
)

// Catalog is what an account may create.
type Catalog struct {
	Account  godo.Account
	Droplets int // all of the account
	Sizes    []godo.Size
	Regions  []godo.Region
	Images   map[string]godo.Image // those that the inventory names, by slug or number
	Offered  []string              // slugs of the images of distributions
}

func (a *Account) catalog(ctx context.Context, inv *inventory.Inventory, c *Catalog) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		account, _, err := a.Account.Get(ctx)
		if err == nil {
			c.Account = *account
		}
		return err
	})
	g.Go(func() error {
		some, resp, err := a.Droplets.List(ctx, &godo.ListOptions{PerPage: 1})
		if c.Droplets = len(some); err == nil && resp.Meta != nil {
			c.Droplets = resp.Meta.Total
		}
		return err
	})
	g.Go(func() (err error) {
		c.Sizes, err = pages(func(o *godo.ListOptions) ([]godo.Size, *godo.Response, error) { return a.Sizes.List(ctx, o) })
		return err
	})
	g.Go(func() (err error) {
		c.Regions, err = pages(func(o *godo.ListOptions) ([]godo.Region, *godo.Response, error) { return a.Regions.List(ctx, o) })
		return err
	})
	g.Go(func() error {
		offered, err := pages(func(o *godo.ListOptions) ([]godo.Image, *godo.Response, error) {
			return a.Images.ListDistribution(ctx, o)
		})
		if err != nil {
			return err
		}
		for _, i := range offered {
			for _, d := range declared.In(inv).Droplets {
				if d.Image == i.Slug || d.Image == strconv.Itoa(i.ID) {
					c.Images[d.Image] = i
				}
			}
			if i.Slug != "" {
				c.Offered = append(c.Offered, i.Slug)
			}
		}
		for _, d := range declared.In(inv).Droplets {
			if _, known := c.Images[d.Image]; known {
				continue
			}
			one, _, err := a.Images.GetBySlug(ctx, d.Image) // by its number, too
			switch {
			case err == nil:
				c.Images[d.Image] = *one
			case !Missing(err):
				return err
			}
		}
		return nil
	})
	return g.Wait()
}
