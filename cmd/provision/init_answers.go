package main

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"provision/files/generation"
	"provision/inventory"
	"provision/inventory/strict"
	"provision/provision/cloud/clouds"
	"provision/provision/report"
)

// answers are what is known so far.
type answers struct {
	layout     inventory.Layout
	draft      *inventory.Draft
	generation generation.Generation // of the stack
	given      map[string]string     // by key
	complete   bool                  // no example is left
}

func newAnswers(layout inventory.Layout) *answers {
	return &answers{layout: layout, generation: newest(), draft: inventory.NewDraft(layout, clouds.Declared()...), given: map[string]string{}}
}

// forgetDomain lets an url be in any domain, until there is one.
func (a *answers) forgetDomain() {
	if slices.Contains(droplets, a.layout) {
		a.draft.Set(domainKey, "")
	}
}

// set puts an answer into the draft and says what is wrong with it.
func (a *answers) set(i item, text string) *strict.Problem {
	a.given[i.key] = text
	keys := append([]string{i.key}, i.also...)
	switch {
	case i.key == agentsKey:
		addresses := words(text)
		a.draft.Agents(addresses)
		for n := range addresses {
			keys = append(keys, strict.Key("hosts", "worker-"+strconv.Itoa(n+1), "address"))
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

// asked is what a person who was asked is told: not its place, because there is no file yet.
func asked(p *strict.Problem) error {
	switch {
	case p == nil:
		return nil
	case p.Hint == "":
		return errors.New(p.Problem)
	}
	return errors.New(p.Problem + "; " + p.Hint)
}

// refused tells what is wrong with a draft by the flags that would fix it, because there is no file yet.
func refused(layout inventory.Layout, problems strict.Problems) error {
	var errs []error
	for _, p := range problems {
		where, hint := p.Key, "provision init --help"
		for _, i := range items() {
			if slices.Contains(i.layouts, layout) && (p.Key == i.key || strings.HasPrefix(p.Key, i.key+"[")) {
				where, hint = "--"+i.flag, "give another --"+i.flag
			}
		}
		if where == "--ssh-key" {
			hint = "make one: ssh-keygen -t ed25519; or name another: --ssh-key FILE"
		}
		errs = append(errs, report.Usage(cmp.Or(p.Hint, hint), "%s: %s", where, p.Problem))
	}
	return errors.Join(errs...)
}

// todo is what is left to do before a plan can be made.
func (a *answers) todo() string {
	unset := func(keys ...string) bool {
		return !a.complete && slices.ContainsFunc(keys, func(k string) bool { return a.given[k] == "" })
	}
	var do []string
	switch {
	case slices.Contains(droplets, a.layout):
		if unset(adminKey, "url") {
			do = append(do, "your own networks and url into "+a.draft.File)
		}
		do = append(do, "the account's token into DIGITALOCEAN_TOKEN")
	case unset(serverKey), a.layout == inventory.LayoutSplit && unset(agentsKey):
		do = append(do, "your addresses into "+a.draft.File)
	}
	if len(do) == 0 {
		return ""
	}
	return "put " + strings.Join(do, ", and ") + ", then: "
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
