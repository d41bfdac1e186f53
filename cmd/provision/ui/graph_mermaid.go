package ui

import (
	"fmt"
	"slices"
	"strings"

	"provision/provision"
)

// mermaid draws the topology in the language of wikis.
func mermaid(t *provision.Topology) string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	entrance := ""
	node := func(host int, c provision.TopologyContainer) string {
		return fmt.Sprintf("h%d_%s", host, strings.ReplaceAll(c.Part, "-", "_"))
	}
	for n, h := range t.Hosts {
		fmt.Fprintf(&b, "  subgraph h%d[%s]\n", n, mermaidText(h.Name, hostTitle(h)))
		if len(h.Containers) == 0 {
			fmt.Fprintf(&b, "    h%d_nothing[%s]\n", n, mermaidText("nothing of the stack"))
		}
		for _, c := range chains(h) {
			for k, one := range c {
				fmt.Fprintf(&b, "    %s[%s]\n", node(n, one), mermaidText(append([]string{one.Name, one.Image}, one.Networks...)...))
				for _, caller := range c[:k] {
					if slices.Contains(caller.Calls, one.Part) {
						fmt.Fprintf(&b, "    %s -->|%s| %s\n", node(n, caller), mermaidText(one.CalledAt), node(n, one))
					}
				}
				if one.Entrance {
					entrance = node(n, one)
				}
				for _, v := range one.Volumes {
					fmt.Fprintf(&b, "    %s --- %s_%s[(%s)]\n", node(n, one), node(n, one), "data", mermaidText(v))
				}
			}
		}
		b.WriteString("  end\n")
	}
	if entrance != "" {
		fmt.Fprintf(&b, "  browsers([%s]) -->|%s| %s\n", mermaidText("browsers"), mermaidText(scheme(t)), entrance)
		for n, h := range t.Hosts {
			for _, c := range h.Containers {
				if c.Polls {
					fmt.Fprintf(&b, "  %s -->|%s| %s\n", node(n, c), mermaidText(scheme(t), "token"), entrance)
				}
			}
		}
	}
	return b.String()
}

// mermaidText is a label of several lines; what would end it is written as an entity.
func mermaidText(lines ...string) string {
	for i, l := range lines {
		lines[i] = strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;").Replace(l)
	}
	return `"` + strings.Join(lines, "<br/>") + `"`
}
