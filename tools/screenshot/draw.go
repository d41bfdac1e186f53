package main

import (
	"fmt"
	"html"
	"strings"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
)

// cell is one place on a screen; class is how it looks.
type cell struct{ text, class string }

type screen [][]cell

// look copies what the terminal shows now.
func look(t *vt.Emulator) screen {
	s := make(screen, rows)
	for y := range s {
		for x := range columns {
			c := t.CellAt(x, y)
			if c == nil || c.Width == 0 && c.Content == "" {
				s[y] = append(s[y], cell{text: " "})
				continue
			}
			s[y] = append(s[y], cell{c.Content, class(c)})
		}
	}
	for len(s) > 0 && strings.TrimSpace(line(s[len(s)-1])) == "" {
		s = s[:len(s)-1]
	}
	return s
}

func class(c *uv.Cell) string {
	var out []string
	if i, ok := c.Style.Fg.(ansi.BasicColor); ok {
		out = append(out, fmt.Sprintf("c%d", i%8))
	}
	if c.Style.Attrs&uv.AttrBold != 0 {
		out = append(out, "b")
	}
	if c.Style.Attrs&uv.AttrFaint != 0 {
		out = append(out, "f")
	}
	return strings.Join(out, " ")
}

func line(cells []cell) string {
	var b strings.Builder
	for _, c := range cells {
		b.WriteString(c.text)
	}
	return b.String()
}

func (s screen) text() string {
	var b strings.Builder
	for _, l := range s {
		b.WriteString(line(l) + "\n")
	}
	return b.String()
}

// cellWidth and the other measures of the picture.
const cellWidth float64 = 8.4

const (
	cellHeight = 18
	pad        = 16
	bar        = 30
	gap        = 18
)

const style = `.w{fill:#11161d;stroke:#2e3945}text{fill:#d8dee6;font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre}
.b{font-weight:700}.f{fill:#8793a3}.c1{fill:#ff8a80}.c2{fill:#5cc98d}.c3{fill:#e3b04b}.c4{fill:#7fb0ff}.c5{fill:#c19af0}.c6{fill:#4fc1c1}`

// draw puts the screens below each other, each in a window.
func draw(screens []screen) string {
	across := float64(columns)
	wide := int(across*cellWidth) + 2*pad
	var b strings.Builder
	y := 0
	for n, s := range screens {
		if n > 0 {
			y += gap
		}
		high := bar + len(s)*cellHeight + pad
		fmt.Fprintf(&b, `<rect class="w" x="0.5" y="%d.5" width="%d" height="%d" rx="10"/>`+"\n", y, wide-1, high-1)
		for k, color := range []string{"#ff8a80", "#e3b04b", "#5cc98d"} {
			fmt.Fprintf(&b, `<circle cx="%d" cy="%d" r="5" fill="%s"/>`, pad+4+k*17, y+16, color)
		}
		b.WriteString("\n")
		for row, cells := range s {
			b.WriteString(runs(cells, y+bar+row*cellHeight+14))
		}
		y += high
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="provision demo on a terminal">
<style>%s</style>
%s</svg>
`, wide, y, wide, y, style, b.String())
}

// runs draws one line, what looks the same together, each run at its own column.
func runs(cells []cell, y int) string {
	var b strings.Builder
	for from := 0; from < len(cells); {
		to := from
		for to < len(cells) && cells[to].class == cells[from].class {
			to++
		}
		text := line(cells[from:to])
		if trimmed := strings.TrimRight(text, " "); trimmed != "" {
			lead := len(trimmed) - len(strings.TrimLeft(trimmed, " "))
			fmt.Fprintf(&b, `<text class="%s" x="%.1f" y="%d" textLength="%.1f" lengthAdjust="spacingAndGlyphs">%s</text>`+"\n",
				cells[from].class, pad+float64(from+lead)*cellWidth, y, float64(len([]rune(trimmed))-lead)*cellWidth, html.EscapeString(strings.TrimLeft(trimmed, " ")))
		}
		from = to
	}
	return b.String()
}
