package inventory

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode"

	"provision/inventory/strict"
)

// imagePrefix is a registry's host with or without a port, then path components as image names have them.
var imagePrefix = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`)

func (c Checker) site(s *Site) {
	c.Link("site.pip_index", s.PipIndex, "https", "http")
	c.Link("site.docker_repository", s.DockerRepository, "https", "http")
	c.Link("site.proxy", s.Proxy, "http", "https")
	if m := s.ImageMirror; m != "" {
		host, _, _ := strings.Cut(m, "/")
		name, _, _ := strings.Cut(host, ":")
		hint := `for example "registry.example.org/hub"`
		if strings.Contains(m, "://") {
			hint = "without a scheme, " + hint
		}
		if !imagePrefix.MatchString(m) || !isURLHost(name) || name == host && !strings.Contains(host, ".") && host != "localhost" {
			c.Add("site.image_mirror", "not a registry's host and path", hint)
		}
	}
	for n := range s.CACertificates {
		key := strict.Key("site.ca_certificates", n)
		if s.CACertificates[n] == "" {
			c.Add(key, "is empty", "the path of a PEM file")
		}
		c.certificates(key, &s.CACertificates[n])
	}
	for n, entry := range s.NoProxy {
		bad := func(r rune) bool {
			return strict.Control(r) || unicode.IsSpace(r) || strings.ContainsRune(`,/\'"$`+"`", r)
		}
		_, err := netip.ParsePrefix(entry)
		if err != nil && (entry == "" || strings.ContainsFunc(entry, bad)) {
			c.Add(strict.Key("site.no_proxy", n), strict.Show(entry)+" is not a name, an address or a network", `one entry each, for example ".example.org" or "10.0.0.0/8"`)
		}
	}
}
