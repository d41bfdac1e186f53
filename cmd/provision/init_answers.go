package main

import (
	"errors"
	"strconv"
	"strings"

	"provision/inventory"
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
