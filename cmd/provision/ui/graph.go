package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"provision/provision"
)

// GraphFormats are the formats of Graph.
var GraphFormats = []string{"text", "mermaid", "svg"}

// Graph draws what runs where in one of the formats.
func Graph(w io.Writer, s Style, t *provision.Topology, format string) {
	switch format {
	case "mermaid":
		io.WriteString(w, mermaid(t))
	case "svg":
		io.WriteString(w, svg(t))
	default:
		io.WriteString(w, graphText(s, t))
	}
}

// chain are the containers of one role on a host: who asks before who answers.
type chain []provision.TopologyContainer

// chains takes a host apart into the way of a request and the way of a flow run.
func chains(h provision.TopologyHost) (out []chain) {
	for n, one := range h.Containers {
		if n == 0 || one.Role != h.Containers[n-1].Role {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], one)
	}
	return out
}

// depth is how far a container is from the one that nobody of its chain calls.
func (c chain) depth(n int) int {
	deep := 0
	for k, one := range c[:n] {
		if slices.Contains(one.Calls, c[n].Part) {
			deep = max(deep, c.depth(k)+1)
		}
	}
	return deep
}

func hostTitle(h provision.TopologyHost) string {
	var roles []string
	for _, r := range h.Roles {
		roles = append(roles, string(r))
	}
	if roles == nil {
		roles = []string{"no role"}
	}
	at := h.Address
	if h.Size != "" {
		at = "droplet " + h.Size + " in " + h.Region
	}
	return at + ", " + strings.Join(roles, " and ")
}

// scheme is how the entrance is spoken to.
func scheme(t *provision.Topology) string {
	port, encrypted := t.Entrance()
	if encrypted {
		return "https :" + port
	}
	return "http :" + port
}

// has tells whether a host runs such a container.
func has(h provision.TopologyHost, such func(provision.TopologyContainer) bool) bool {
	return slices.ContainsFunc(h.Containers, such)
}

func entrance(c provision.TopologyContainer) bool { return c.Entrance }
func polls(c provision.TopologyContainer) bool    { return c.Polls }

// members are the containers in a network.
func members(h provision.TopologyHost, network string) string {
	var out []string
	for _, c := range h.Containers {
		if slices.Contains(c.Networks, network) {
			out = append(out, c.Part)
		}
	}
	return strings.Join(out, ", ")
}

func graphText(s Style, t *provision.Topology) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s, %s\n", s.bold(t.Stack), t.URL, t.Certificate())
	for _, h := range t.Hosts {
		var rows []string
		for _, c := range chains(h) {
			for n, one := range c {
				depth := c.depth(n)
				row := strings.Repeat("   ", depth) + "└► "
				switch {
				case one.Entrance:
					row = "browsers and agents " + s.cyan(scheme(t)) + " ─► "
				case depth == 0:
					row = ""
				default:
					row += s.dim(one.CalledAt) + " "
				}
				row += s.bold(one.Name) + "  " + s.dim(one.Image)
				if one.Polls {
					row += "  polls " + s.cyan(t.URL)
				}
				rows = append(rows, row)
			}
		}
		for _, n := range h.Networks {
			inside := ""
			if n.Internal {
				inside = ", internal"
			}
			rows = append(rows, fmt.Sprintf("%s %s  %s%s: %s", s.dim("network"), n.Name, n.Subnet, inside, members(h, n.Name)))
		}
		for _, c := range h.Containers {
			if len(c.Ports) > 0 {
				rows = append(rows, s.dim("ports")+"   "+strings.Join(c.Ports, ", ")+" of "+c.Part)
			}
		}
		for _, v := range h.Volumes {
			rows = append(rows, s.dim("volume")+"  "+v)
		}
		if rows == nil {
			rows = []string{s.dim("nothing of the stack")}
		}
		title := s.bold(h.Name) + "  " + hostTitle(h)
		inner := width(title) + 2
		for _, r := range rows {
			inner = max(inner, width(r))
		}
		fmt.Fprintf(&b, "\n┌─ %s %s┐\n", title, strings.Repeat("─", inner-width(title)-1))
		for _, r := range rows {
			fmt.Fprintf(&b, "│ %s │\n", fit(r, inner))
		}
		fmt.Fprintf(&b, "└%s┘\n", strings.Repeat("─", inner+2))
	}
	return b.String()
}
