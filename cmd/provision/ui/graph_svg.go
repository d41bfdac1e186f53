package ui

import (
	"fmt"
	"html"
	"slices"
	"strings"

	"provision/provision"
)

// Measures of the picture, in its own pixels.
const (
	boxWidth   = 324 // of a container
	boxHeight  = 54
	boxGap     = 34 // between containers that call each other
	hostPad    = 20
	hostHead   = 52
	hostWidth  = boxWidth + 2*hostPad
	netHeight  = 20 // of a line of the legend
	hostGap    = 24
	serverLeft = 190
	agentLeft  = serverLeft + hostWidth + 90
	top        = 64
)

// svgStyle has its colours for light and dark, and for a page that asks for neither.
const svgStyle = `
.topology{--paper:#fff;--ink:#1b2430;--soft:#5b6878;--line:#c4ccd6;--host:#f4f6f9;--box:#fff;--way:#2563c9;--n0:#2f8f5b;--n1:#b7791f;--n2:#8a4fbf;--n3:#c2413a;font-family:system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;background:var(--paper)}
@media (prefers-color-scheme:dark){.topology{--paper:#11161d;--ink:#e6ebf1;--soft:#9aa7b6;--line:#3a4654;--host:#19212b;--box:#222c38;--way:#7fb0ff;--n0:#5cc98d;--n1:#e3b04b;--n2:#c19af0;--n3:#ef8079}}
.topology text{fill:var(--ink);font-size:14px}
.topology .small{fill:var(--soft);font-size:12px}
.topology .name{font-weight:600}
.topology .title{font-size:17px;font-weight:600}
.topology .host{fill:var(--host);stroke:var(--line)}
.topology .box{fill:var(--box);stroke:var(--line)}
.topology .way{fill:none;stroke:var(--way);stroke-width:1.6}
.topology .label{fill:var(--way);font-size:12px}
.topology .tip{fill:var(--way)}
`

// spot is where a container's box is.
type spot struct{ x, y int }

// svgPicture collects the parts of a picture, what is below before what is above.
type svgPicture struct {
	hosts, ways, boxes strings.Builder
	entrance           spot // of Caddy
	agents             []spot
	single             bool // an agent is on the server's host
}

// svg draws the topology: the server's host left, the agents' hosts right of it.
func svg(t *provision.Topology) string {
	p := &svgPicture{}
	left, right := top, top
	for _, h := range t.Hosts {
		if has(h, entrance) {
			p.single = has(h, polls)
			left = p.host(t, h, serverLeft, left) + hostGap
		}
	}
	for _, h := range t.Hosts {
		if !has(h, entrance) {
			right = p.host(t, h, agentLeft, right) + hostGap
		}
	}
	wide := agentLeft + hostWidth + 20
	if right == top {
		wide = serverLeft + hostWidth + 20
	}
	p.calls(t)
	high := max(left, right)
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" class="topology" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">
<style>%s</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>
<text class="title" x="20" y="30">%s</text><text class="small" x="20" y="50">%s, %s</text>
%s%s%s</svg>
`, wide, high, wide, high, html.EscapeString("what runs where: "+t.Stack), svgStyle,
		html.EscapeString(t.Stack), html.EscapeString(t.URL), html.EscapeString(t.Certificate()), p.hosts.String(), p.ways.String(), p.boxes.String())
}

// host draws one host and returns where it ends.
func (p *svgPicture) host(t *provision.Topology, h provision.TopologyHost, x, y int) int {
	at := y + hostHead
	if len(h.Containers) == 0 {
		p.text(&p.boxes, "small", x+hostPad, at+14, "nothing of the stack runs here", 44)
		at += 2 * netHeight
	}
	for _, c := range chains(h) {
		for k, one := range c {
			here := spot{x + hostPad, at}
			p.container(h, one, here)
			if one.Entrance {
				p.entrance = here
			}
			if one.Polls {
				p.agents = append(p.agents, here)
			}
			if k > 0 && slices.Contains(c[k-1].Calls, one.Part) {
				middle := here.x + boxWidth/2
				p.way(fmt.Sprintf("M%d %dV%d", middle, here.y-boxGap, here.y-2))
				p.text(&p.ways, "label", middle+8, here.y-boxGap/2+4, one.CalledAt, 20)
			}
			at += boxHeight + boxGap
		}
	}
	if len(h.Containers) > 0 {
		at -= boxGap - 24
	}
	for n, net := range h.Networks {
		text := net.Name + "  " + net.Subnet
		if net.Internal {
			text += ", internal"
		}
		fmt.Fprintf(&p.boxes, `<circle cx="%d" cy="%d" r="5" fill="var(--n%d)"/>`, x+hostPad+6, at, n%4)
		p.text(&p.boxes, "small", x+hostPad+18, at+4, text, 54)
		at += netHeight
	}
	for _, c := range h.Containers {
		if len(c.Ports) > 0 {
			p.text(&p.boxes, "small", x+hostPad, at+4, "ports "+strings.Join(c.Ports, ", "), 48)
			at += netHeight
		}
	}
	for _, v := range h.Volumes {
		p.text(&p.boxes, "small", x+hostPad, at+4, "volume "+v, 48)
		at += netHeight
	}
	end := at + 4
	fmt.Fprintf(&p.hosts, `<rect class="host" x="%d" y="%d" width="%d" height="%d" rx="12"/>`+"\n", x, y, hostWidth, end-y)
	p.text(&p.hosts, "name", x+hostPad, y+26, h.Name, 34)
	p.text(&p.hosts, "small", x+hostPad, y+43, hostTitle(h), 46)
	return end
}

func (p *svgPicture) container(h provision.TopologyHost, c provision.TopologyContainer, at spot) {
	fmt.Fprintf(&p.boxes, `<rect class="box" x="%d" y="%d" width="%d" height="%d" rx="8"/>`, at.x, at.y, boxWidth, boxHeight)
	p.text(&p.boxes, "name", at.x+12, at.y+22, c.Name, 28)
	p.text(&p.boxes, "small", at.x+12, at.y+41, c.Image, 44)
	right := at.x + boxWidth - 14
	for _, name := range slices.Backward(c.Networks) {
		n := slices.IndexFunc(h.Networks, func(n provision.TopologyNetwork) bool { return n.Name == name })
		if n >= 0 {
			fmt.Fprintf(&p.boxes, `<circle cx="%d" cy="%d" r="5" fill="var(--n%d)"/>`, right, at.y+17, n%4)
			right -= 14
		}
	}
	p.boxes.WriteString("\n")
}

// calls draws who comes in from outside of a host.
func (p *svgPicture) calls(t *provision.Topology) {
	if p.entrance == (spot{}) {
		return
	}
	y := p.entrance.y + boxHeight/2
	fmt.Fprintf(&p.boxes, `<rect class="box" x="20" y="%d" width="96" height="40" rx="20"/>`, y-20)
	p.text(&p.boxes, "name", 36, y+5, "browsers", 12)
	p.way(fmt.Sprintf("M116 %dH%d", y, p.entrance.x-2))
	p.text(&p.ways, "label", 122, y-8, scheme(t), 14)
	for _, a := range p.agents {
		from := a.y + boxHeight/2
		if a.x == p.entrance.x { // on the server's own host
			p.way(fmt.Sprintf("M%d %dh-6Q%d %d %d %dV%dQ%d %d %d %dH%d", a.x, from, a.x-10, from, a.x-10, from-4, y+14, a.x-10, y+8, a.x-6, y+8, a.x-2))
			continue
		}
		turn := agentLeft - 45
		p.way(fmt.Sprintf("M%d %dH%dV%dH%d", a.x, from, turn, y, p.entrance.x+boxWidth+2))
	}
	if len(p.agents) > 0 && !p.single {
		p.text(&p.ways, "label", serverLeft+hostWidth+4, y-8, scheme(t), 14)
	}
}

func (p *svgPicture) way(path string) {
	fmt.Fprintf(&p.ways, `<path class="way" d="%s" marker-end="url(#tip)"/>`+"\n", path)
}

func (p *svgPicture) text(b *strings.Builder, class string, x, y int, text string, most int) {
	fmt.Fprintf(b, `<text class="%s" x="%d" y="%d">%s</text>`, class, x, y, html.EscapeString(cut(text, most)))
	b.WriteString("\n")
}
