package inventory

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"provision/inventory/strict"
)

// Draft is an inventory in the making: a template in which answers take the place of the examples. What it says of an answer is
// what Load would say of the file. The comments stay.
type Draft struct {
	// File is the name that the template usually has.
	File   string
	lines  []string
	clouds []Cloud
}

// NewDraft begins with the template of the layout. The file may have tables of the clouds.
func NewDraft(layout Layout, clouds ...Cloud) *Draft {
	return &Draft{layout.File, strings.Split(layout.Text, "\n"), clouds}
}

// Text is the file as it stands.
func (d *Draft) Text() string { return strings.Join(d.lines, "\n") }

// Check reads the file as it stands and checks it like Load.
func (d *Draft) Check() (*Inventory, strict.Problems) {
	doc, problems := strict.Parse(d.File, []byte(d.Text()))
	if problems != nil {
		return nil, problems
	}
	return load(doc, d.clouds)
}

// Problem is the first mistake in the key or in an element of it, nil if there is none. A value that cannot be written at all is
// one, too.
func (d *Draft) Problem(key string) *strict.Problem {
	inv, problems := d.Check()
	for _, p := range problems {
		if inv == nil || p.Key == key || strings.HasPrefix(p.Key, key+"[") {
			return &p
		}
	}
	return nil
}

// Set gives a key of the template another value; an empty string or list makes the key a comment. It panics on a key that the
// template does not have.
func (d *Draft) Set(key string, value any) {
	table := strict.Parent(key)
	name := strings.TrimPrefix(strings.TrimPrefix(key, table), ".")
	n := d.find(table, name)
	if n < 0 {
		panic(fmt.Sprintf("inventory: the template has no key %q", key))
	}
	old, comment, _ := strings.Cut(strings.TrimPrefix(d.lines[n], "# "), "  # ")
	line := strings.TrimSpace(old)
	if !empty(value) {
		line = assignment(name, value)
	} else {
		line = "# " + line
	}
	if comment != "" {
		line = fmt.Sprintf("%-42s # %s", line, comment)
	}
	d.lines[n] = line
}

func empty(value any) bool {
	list, isList := value.([]string)
	return value == "" || isList && len(list) == 0
}

// Agents are the addresses of the agent hosts, of which the template has one: worker-1, worker-2 and so on.
func (d *Draft) Agents(addresses []string) {
	if begin := slices.Index(d.lines, "[hosts.worker-2]"); begin >= 0 {
		d.lines = append(d.lines[:begin-1], "")
	}
	first := ""
	for n, address := range addresses {
		if n == 0 {
			first = address
			continue
		}
		d.lines = append(d.lines, fmt.Sprintf("[hosts.worker-%d]", n+1), assignment("address", address), `roles = ["agent"]`, "")
	}
	d.Set("hosts.worker-1.address", first)
}

// find is the line of a key, also where it is a comment; -1 without one.
func (d *Draft) find(table, name string) int {
	own := regexp.MustCompile(`^(# )?` + regexp.QuoteMeta(name) + ` = `)
	at := ""
	for n, line := range d.lines {
		switch {
		case strings.HasPrefix(line, "["):
			at = line[1:strings.Index(line, "]")]
		case at == table && own.MatchString(line):
			return n
		}
	}
	return -1
}

// assignment is the key with its value as TOML has it, whatever the value holds.
func assignment(name string, value any) string {
	var b bytes.Buffer
	if err := toml.NewEncoder(&b).Encode(map[string]any{name: value}); err != nil {
		panic("inventory: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}
