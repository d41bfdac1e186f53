//go:build linux && e2e && next

package e2e

import "provision/e2e/lab"

func init() {
	for name, run := range map[string]func(*site, *lab.Host, certified){
		"a token for flows runs nothing in others": func(s *site, h *lab.Host, _ certified) { s.forged(h) },
		"firewalls of the host are named":          func(s *site, h *lab.Host, _ certified) { s.walled(h) },
		"tls in any order":                         (*site).tlsInAnyOrder,
	} {
		further = append(further, struct {
			name string
			run  func(*site, *lab.Host, certified)
		}{name, run})
	}
}
