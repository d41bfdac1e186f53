package digitaloceantest

import (
	"slices"
	"strconv"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Size is a row of the price list.
type Size struct {
	Slug            string
	Memory, CPUs    int // MiB
	Disk            int // GiB
	Transfer        float64
	Monthly, Hourly float64 // US dollars
	Unavailable     bool
	Description     string
	onlyIn          []string
}

// Sizes is the price list.
func Sizes() []Size {
	return []Size{
		{Slug: "s-1vcpu-1gb", Memory: 1024, CPUs: 1, Disk: 25, Transfer: 1, Monthly: 6, Hourly: 0.00893, Description: "Basic"},
		{Slug: "s-1vcpu-2gb", Memory: 2048, CPUs: 1, Disk: 50, Transfer: 2, Monthly: 12, Hourly: 0.01786, Description: "Basic"},
		{Slug: "s-2vcpu-2gb", Memory: 2048, CPUs: 2, Disk: 60, Transfer: 3, Monthly: 18, Hourly: 0.02679, Description: "Basic"},
		{Slug: "s-2vcpu-4gb", Memory: 4096, CPUs: 2, Disk: 80, Transfer: 4, Monthly: 24, Hourly: 0.03571, Description: "Basic"},
		{Slug: "s-4vcpu-8gb", Memory: 8192, CPUs: 4, Disk: 160, Transfer: 5, Monthly: 48, Hourly: 0.07143, Description: "Basic"},
		{Slug: "s-8vcpu-16gb", Memory: 16384, CPUs: 8, Disk: 320, Transfer: 6, Monthly: 96, Hourly: 0.14286, Description: "Basic"},
		{Slug: "c-2", Memory: 4096, CPUs: 2, Disk: 25, Transfer: 4, Monthly: 42, Hourly: 0.0625, Description: "CPU-Optimized", onlyIn: []string{"nyc3", "fra1"}},
		{Slug: "s-1vcpu-512mb", Memory: 512, CPUs: 1, Disk: 10, Transfer: 0.5, Monthly: 4, Hourly: 0.00595, Description: "Basic", Unavailable: true},
	}
}

func size(slug string) (Size, bool) {
	all := Sizes()
	i := slices.IndexFunc(all, func(s Size) bool { return s.Slug == slug })
	if i < 0 {
		return Size{}, false
	}
	return all[i], true
}

func (s Size) in(region string) bool {
	return !s.Unavailable && (s.onlyIn == nil || slices.Contains(s.onlyIn, region))
}

func showSize(s Size) object {
	regions := []string{}
	for _, p := range places() {
		if p.available && s.in(p.slug) {
			regions = append(regions, p.slug)
		}
	}
	return object{
		"slug": s.Slug, "memory": s.Memory, "vcpus": s.CPUs, "disk": s.Disk, "transfer": s.Transfer, "price_monthly": s.Monthly, "price_hourly": s.Hourly,
		"regions": regions, "available": !s.Unavailable, "description": s.Description,
		"disk_info": []object{{"type": "local", "size": object{"amount": s.Disk, "unit": "gib"}}},
	}
}

// place is a region.
type place struct {
	slug, name string
	available  bool
	volumes    bool
}

func places() []place {
	return []place{
		{"nyc1", "New York 1", true, true},
		{"nyc2", "New York 2", false, false},
		{"nyc3", "New York 3", true, true},
		{"ams3", "Amsterdam 3", true, true},
		{"sfo3", "San Francisco 3", true, true},
		{"sgp1", "Singapore 1", true, true},
		{"lon1", "London 1", true, true},
		{"fra1", "Frankfurt 1", true, true},
		{"tor1", "Toronto 1", true, true},
		{"blr1", "Bangalore 1", true, true},
		{"syd1", "Sydney 1", true, true},
	}
}

// region is the zero place if there is no such region.
func region(slug string) place {
	for _, p := range places() {
		if p.slug == slug {
			return p
		}
	}
	return place{}
}

func showRegion(p place) object {
	sizes := []string{}
	for _, s := range Sizes() {
		if p.available && s.in(p.slug) {
			sizes = append(sizes, s.Slug)
		}
	}
	features := []string{"backups", "ipv6", "metadata", "install_agent"}
	if p.volumes {
		features = append(features, "storage")
	}
	return object{"name": p.name, "slug": p.slug, "available": p.available, "features": features, "sizes": sizes}
}

// image is a distribution's image.
type image struct {
	id                       int
	slug, name, distribution string
	minDisk                  int
}

func images() []image {
	return []image{
		{186442055, "debian-13-x64", "13 x64", "Debian", 10},
		{133735390, "debian-12-x64", "12 x64", "Debian", 10},
		{155133621, "ubuntu-24-04-x64", "24.04 (LTS) x64", "Ubuntu", 10},
		{129211873, "ubuntu-22-04-x64", "22.04 (LTS) x64", "Ubuntu", 10},
		{168534023, "fedora-42-x64", "42 x64", "Fedora", 15},
	}
}

// findImage takes a slug, or a number as text.
func findImage(id string) (image, bool) {
	for _, i := range images() {
		if i.slug == id || itoa(i.id) == id {
			return i, true
		}
	}
	return image{}, false
}

func showImage(i image) object {
	regions := []string{}
	for _, p := range places() {
		if p.available {
			regions = append(regions, p.slug)
		}
	}
	return object{
		"id": i.id, "name": i.name, "type": "base", "distribution": i.distribution, "slug": i.slug, "public": true, "regions": regions,
		"created_at": "2026-01-12T16:00:00Z", "min_disk_size": i.minDisk, "size_gigabytes": 1.2, "description": i.distribution + " " + i.name, "tags": []string{},
		"status": "available", "error_message": "",
	}
}

func (c *Cloud) listRegions(r *request) answer { return page(r, "regions", places(), showRegion) }
func (c *Cloud) listSizes(r *request) answer   { return page(r, "sizes", Sizes(), showSize) }
func (c *Cloud) listImages(r *request) answer  { return page(r, "images", images(), showImage) }

func (c *Cloud) getImage(r *request) answer {
	i, found := findImage(r.PathValue("image_id"))
	if !found {
		return notFound
	}
	return ok(object{"image": showImage(i)})
}
