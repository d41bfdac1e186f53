package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
	"provision/inventory"
	"provision/provision"
	"provision/provision/stack"
)

// item is one thing that init wants to know: a flag, a question, and the key of the inventory that it becomes.
type item struct {
	flag, value string // --FLAG VALUE
	usage       string // in the help
	title, help string // the question
	key         string
	also        []string // keys that a wrong answer shows at, too
	list        bool     // several, with commas between
	layouts     []inventory.Layout
	choices     []ui.Choice
	standard    func(*answers) string // the default; nil for none
	when        func(*answers) bool   // whether it is asked at all; nil for always
}

var (
	onprem   = []inventory.Layout{inventory.LayoutSingle, inventory.LayoutSplit}
	droplets = []inventory.Layout{inventory.LayoutDigitalOcean}
	anywhere = slices.Concat(onprem, droplets)
)

// items are in the order in which they are asked. What is wrong with an answer is known to the inventory alone.
func items() []item {
	mode := func(modes ...string) func(*answers) bool {
		return func(a *answers) bool { return slices.Contains(modes, a.given["tls.mode"]) }
	}
	fixed := func(text string) func(*answers) string { return func(*answers) string { return text } }
	return []item{
		{flag: "server", value: "ADDRESS", usage: "address of the server", title: "Address of the server", help: "an IP address or a DNS name", key: "hosts.prefect.address", layouts: onprem},
		{flag: "agent", value: "ADDRESS,...", usage: "addresses of the agent hosts", title: "Addresses of the agent hosts", help: "one or several, with commas between", key: agentsKey, list: true, layouts: onprem[1:]},
		{flag: "user", value: "NAME", usage: "user to log in with over SSH: root, or one with sudo", title: "User to log in with over SSH", help: "root, or one with sudo", key: "ssh.user", layouts: onprem, standard: fixed("root")},
		{flag: "region", value: "NAME", usage: "region of the droplets", title: "Region of the droplets", key: "digitalocean.region", layouts: droplets, standard: fixed("fra1")},
		{flag: "ssh-key", value: "FILE,...", usage: "public keys that may log in", title: "Public keys that may log in", help: "files, with commas between", key: "digitalocean.ssh_keys", list: true, layouts: droplets, standard: func(*answers) string { return publicKey() }},
		{flag: "admin-cidr", value: "NETWORK,...", usage: "networks that may reach port 22", title: "Networks that may reach port 22", help: "your own address as others see it, for example 203.0.113.7/32", key: "digitalocean.admin_cidrs", list: true, layouts: droplets},
		{flag: "tls", value: "MODE", usage: "where the certificate comes from: internal, acme, files or off", title: "Where does the server's certificate come from?", key: "tls.mode", layouts: anywhere, choices: []ui.Choice{
			{Value: inventory.TLSInternal, Title: "internal: the stack's own CA, whose root browsers do not know"},
			{Value: inventory.TLSACME, Title: "acme: Let's Encrypt, for a public name"},
			{Value: inventory.TLSFiles, Title: "files: a certificate and a key of yours"},
			{Value: inventory.TLSOff, Title: "off: none; passwords and tokens travel in clear"},
		}, standard: func(a *answers) string {
			if a.layout == inventory.LayoutDigitalOcean {
				return inventory.TLSACME
			}
			return inventory.TLSInternal
		}},
		{flag: "url", value: "URL", usage: "how browsers and agents reach the server; without it, by its address", title: "URL by which browsers and agents reach the server", help: "for example https://prefect.example.org; empty: by the server's address, if that is known", key: "url", layouts: anywhere},
		{flag: "certificate", value: "FILE", usage: "with --tls files: the certificate with its chain", title: "File of the certificate, with its chain", key: "tls.certificate", layouts: anywhere, when: mode(inventory.TLSFiles)},
		{flag: "key", value: "FILE", usage: "with --tls files: its key", title: "File of its key", key: "tls.key", layouts: anywhere, when: mode(inventory.TLSFiles)},
		{flag: "domain", value: "NAME", usage: "domain managed in the account, where the url's host gets its record", title: "Domain that is managed in the account", help: "the url's host gets its record there; empty: you make the record", key: domainKey, also: []string{"url"}, layouts: droplets, standard: (*answers).domain},
	}
}

const (
	agentsKey = "hosts.worker-1.address" // where the first agent's address stands; the others follow
	domainKey = "digitalocean.domain"
)

// answers are what is known so far.
type answers struct {
	layout   inventory.Layout
	draft    *inventory.Draft
	given    map[string]string // by key
	complete bool              // no example is left
}

func newAnswers(layout inventory.Layout) *answers {
	return &answers{layout: layout, draft: inventory.NewDraft(layout), given: map[string]string{}}
}

// forgetDomain lets an url be in any domain, until there is one.
func (a *answers) forgetDomain() {
	if a.layout == inventory.LayoutDigitalOcean {
		a.draft.Set(domainKey, "")
	}
}

// set puts an answer into the draft and says what is wrong with it.
func (a *answers) set(i item, text string) *inventory.Problem {
	a.given[i.key] = text
	keys := append([]string{i.key}, i.also...)
	switch {
	case i.key == agentsKey:
		addresses := words(text)
		a.draft.Agents(addresses)
		for n := range addresses {
			keys = append(keys, inventory.Key("hosts", "worker-"+strconv.Itoa(n+1), "address"))
		}
	case i.list:
		a.draft.Set(i.key, words(text))
	default:
		a.draft.Set(i.key, text)
	}
	for _, key := range keys {
		if p := a.draft.Problem(key); p != nil {
			return p
		}
	}
	return nil
}

// asked is what a person who was asked is told: not where it stands, for there is no file yet.
func asked(p *inventory.Problem) error {
	switch {
	case p == nil:
		return nil
	case p.Hint == "":
		return errors.New(p.Problem)
	}
	return errors.New(p.Problem + "; " + p.Hint)
}

func words(text string) []string {
	var all []string
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			all = append(all, word)
		}
	}
	return all
}

// domain is what the url's host is likely to be in.
func (a *answers) domain() string {
	inv, _ := a.draft.Check()
	if inv == nil {
		return ""
	}
	_, domain, _ := strings.Cut(inv.Hostname(), ".")
	return domain
}

// publicKey is the first of the usual ones that is there.
func publicKey() string {
	home, err := os.UserHomeDir()
	for _, name := range []string{"id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub"} {
		if _, bad := os.Stat(filepath.Join(home, ".ssh", name)); err == nil && bad == nil {
			return "~/.ssh/" + name
		}
	}
	return ""
}

func (c *cli) initCommand() *cobra.Command {
	layouts := map[inventory.Layout]*bool{}
	values := map[string]*string{}
	plaintext := false
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a commented inventory and stack.toml to start from",
		Long: `Writes onprem.toml (prod.toml with --digitalocean) and stack.toml into the current directory. Existing files are left as they are.

On a terminal and without flags it asks for what it needs to know. With flags it asks nothing: what they do not say
keeps its example, to be edited.`,
		Example: "  provision init                  # asks\n  provision init --single         # server and agent on one host\n  provision init --split          # agents on hosts of their own\n" +
			"  provision init --split --server 10.0.0.11 --agent 10.0.0.21,10.0.0.22 --user ops\n  provision init --digitalocean   # droplets",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var chosen []inventory.Layout
			for _, layout := range anywhere {
				if *layouts[layout] {
					chosen = append(chosen, layout)
				}
			}
			var a *answers
			var err error
			switch {
			case len(chosen) == 1:
				a, err = fromFlags(cmd, chosen[0], values, plaintext)
			case cmd.Flags().NFlag() == 0 && c.capable():
				if err := absent(stackFile); err != nil {
					return err
				}
				a, err = c.interview(cmd.Context())
			default:
				err = provision.Usage("provision init --split", "say which: --single, --split or --digitalocean")
			}
			if err != nil {
				return err
			}
			return c.scaffold(a)
		},
	}
	f := cmd.Flags()
	for layout, usage := range map[inventory.Layout]string{
		inventory.LayoutSingle: "server and agent on one host", inventory.LayoutSplit: "server and agents on hosts of their own", inventory.LayoutDigitalOcean: "droplets",
	} {
		layouts[layout] = f.Bool(string(layout), false, usage)
	}
	for _, i := range items() {
		values[i.flag] = f.String(i.flag, "", "`"+i.value+"`: "+i.usage)
	}
	f.BoolVar(&plaintext, "allow-plaintext", false, "with --tls off: yes, in clear")
	return cmd
}

// fromFlags takes what the flags say and leaves the rest as the template has it.
func fromFlags(cmd *cobra.Command, layout inventory.Layout, values map[string]*string, plaintext bool) (*answers, error) {
	a := newAnswers(layout)
	if plaintext {
		a.draft.Set("tls.allow_plaintext", true)
	}
	var wrong []error
	for _, i := range items() {
		given, fits := cmd.Flags().Changed(i.flag), slices.Contains(i.layouts, layout)
		switch {
		case given && !fits:
			return nil, provision.Usage("provision init --help", "--%s is not for --%s", i.flag, layout)
		case given:
			if i.key == "url" {
				a.forgetDomain()
			}
			if p := a.set(i, *values[i.flag]); p != nil {
				wrong = append(wrong, provision.Usage(p.Hint, "--%s: %s", i.flag, p.Problem))
			}
		case fits && i.key == domainKey && cmd.Flags().Changed("url"):
			a.set(i, a.domain())
		}
	}
	return a, errors.Join(wrong...)
}

// capable tells whether standard input and error are a terminal on which questions can be drawn.
func (c *cli) capable() bool {
	name := os.Getenv("TERM")
	return c.terminal() && name != "" && name != "dumb"
}

// interview asks for everything.
func (c *cli) interview(ctx context.Context) (*answers, error) {
	layout, err := c.question(ctx, ui.Question{Title: "What is it to run on?", Default: string(inventory.LayoutSingle), Choices: []ui.Choice{
		{Value: string(inventory.LayoutSingle), Title: "one host: server and agent together"},
		{Value: string(inventory.LayoutSplit), Title: "several hosts: the server on one, agents on others"},
		{Value: string(inventory.LayoutDigitalOcean), Title: "droplets on DigitalOcean, which are created"},
	}})
	if err != nil {
		return nil, err
	}
	a := newAnswers(inventory.Layout(layout))
	if err := absent(a.draft.File); err != nil {
		return nil, err
	}
	a.forgetDomain()
	for _, i := range items() {
		if !slices.Contains(i.layouts, a.layout) || i.when != nil && !i.when(a) {
			continue
		}
		q := ui.Question{Title: i.title, Help: i.help, Choices: i.choices, Check: func(text string) error { return asked(a.set(i, text)) }}
		if i.standard != nil {
			q.Default = i.standard(a)
		}
		if i.key == "tls.mode" {
			err = c.mode(ctx, a, q)
		} else {
			_, err = c.question(ctx, q)
		}
		if err != nil {
			return nil, err
		}
	}
	a.complete = true
	return a, nil
}

// mode asks for the TLS mode, and asks again who chooses none.
func (c *cli) mode(ctx context.Context, a *answers, q ui.Question) error {
	check := q.Check
	q.Check = func(text string) error {
		a.draft.Set("tls.allow_plaintext", text == inventory.TLSOff)
		return check(text)
	}
	for {
		answer, err := c.question(ctx, q)
		if err != nil || answer != inventory.TLSOff {
			return err
		}
		sure, err := c.question(ctx, ui.Question{Title: "Passwords and tokens will travel in clear. All the same?", Default: "no", Choices: []ui.Choice{
			{Value: "no", Title: "no"}, {Value: "yes", Title: "yes, allow_plaintext = true"},
		}})
		if err != nil || sure == "yes" {
			return err
		}
	}
}

func (c *cli) question(ctx context.Context, q ui.Question) (string, error) {
	answer, err := ui.Ask(ctx, c.stdin, c.stderr, c.style(c.stderr), q)
	if errors.Is(err, ui.ErrAborted) {
		return "", &provision.Error{Code: provision.ExitInterrupted, Cause: "interrupted at the question, nothing was written"}
	}
	return answer, err
}

// absent says which of the files that init writes is there already.
func absent(names ...string) error {
	for _, name := range names {
		if _, err := os.Lstat(name); err == nil {
			return provision.Usage("move it away, or run this in another directory", "%s exists; nothing was written", name)
		}
	}
	return nil
}

const stackFile = "stack.toml"

// scaffold writes the files if they are valid, none of them if one exists.
func (c *cli) scaffold(a *answers) error {
	inv, problems := a.draft.Check()
	if problems == nil {
		problems = stack.Check(inv, stack.Default())
	}
	if problems != nil {
		return problems
	}
	out := []struct{ name, text string }{{a.draft.File, a.draft.Text()}, {stackFile, stack.Template()}}
	if err := absent(out[0].name, out[1].name); err != nil {
		return err
	}
	for _, f := range out {
		file, err := os.OpenFile(f.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return provision.Usage("", "write %s: %v", f.name, err)
		}
		_, err = file.WriteString(f.text)
		if cerr := file.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", f.name, err)
		}
		fmt.Fprintf(c.stdout, "wrote %s\n", f.name)
	}
	next := "put your addresses into " + a.draft.File + ", then: "
	if a.complete {
		next = ""
	}
	fmt.Fprintf(c.stderr, "next: %sprovision plan -i %s\n", next, a.draft.File)
	return nil
}
