package digitaloceantest

import (
	"fmt"
	"testing"

	"github.com/digitalocean/godo"
)

func TestPages(t *testing.T) {
	c, g := start(t, Options{DropletLimit: 250})
	pages(t, c, g, 205)
	for i := range 205 {
		if _, _, err := g.Droplets.Create(within(t), dropletRequest(fmt.Sprintf("worker-%d", i), "many")); err != nil {
			t.Fatal(err)
		}
	}
	first, resp, err := g.Droplets.ListByTag(within(t), "many", &godo.ListOptions{PerPage: 200})
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 200 || resp.Links.IsLastPage() || resp.Meta.Total != 205 {
		t.Fatalf("%d droplets, last %v, %+v", len(first), resp.Links.IsLastPage(), resp.Meta)
	}
	second, resp, err := g.Droplets.ListByTag(within(t), "many", &godo.ListOptions{PerPage: 200, Page: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(second) != 5 || !resp.Links.IsLastPage() || second[4].Name != "worker-204" {
		t.Fatalf("%d droplets, last %v", len(second), resp.Links.IsLastPage())
	}
}

// pages makes so many tags and finds them all again by following the pages.
func pages(t *testing.T, c *Cloud, g *godo.Client, n int) {
	had := len(c.Tags())
	for i := range n {
		must(g.Tags.Create(within(t), &godo.TagCreateRequest{Name: fmt.Sprintf("page:%d", i)}))(t)
	}
	for _, size := range []int{0, 20, 200} {
		seen, asked := map[string]bool{}, 0
		for opt := (&godo.ListOptions{PerPage: size}); ; {
			tags, resp, err := g.Tags.List(within(t), opt)
			if err != nil {
				t.Fatal(err)
			}
			for _, tag := range tags {
				seen[tag.Name] = true
			}
			if asked++; resp.Links.IsLastPage() {
				break
			}
			at, err := resp.Links.CurrentPage()
			if err != nil {
				t.Fatal(err)
			}
			opt.Page = at + 1
		}
		if size == 0 {
			size = 20
		}
		if want := (n + had + size - 1) / size; len(seen) != n+had || asked != want {
			t.Errorf("%d a page: %d tags on %d pages, want %d on %d", size, len(seen), asked, n+had, want)
		}
	}
}
