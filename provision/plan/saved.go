package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"provision/provision/report"
	"provision/provision/resource"
)

// Saved is a plan that is kept in a file to be carried out later, exactly as it was shown. It
// holds what was announced and digests of what it was made from: no program, no secret. Carried out,
// it is made again under the lock, and any difference is refused.
type Saved struct {
	Version int       `json:"version"`
	Time    time.Time `json:"time"`
	// Limit and Options are those that the plan was made with.
	Limit   []string        `json:"limit,omitempty"`
	Options map[string]bool `json:"options,omitempty"`
	// Desired is a digest of both files and of all that they give the hosts.
	Desired string `json:"desired"`
	// Facts are digests of what was observed, by host and resource.
	Facts   map[string]map[string]string `json:"facts"`
	Changes []report.Change              `json:"changes"`
	// Unreachable are the hosts that the plan was made without; they are left out when it is carried out.
	Unreachable []report.Unreachable `json:"unreachable,omitempty"`
	Later       []report.Later       `json:"later,omitempty"`
}

// savedVersion is the version of the file.
const savedVersion = 1

// Save makes the plan one that can be kept; desired is a digest of what it was made from.
func Save(plan *report.Plan, facts Facts, desired string, limit []string, options map[string]bool) *Saved {
	return &Saved{
		Version: savedVersion, Time: time.Now().UTC().Truncate(time.Second), Limit: limit, Options: options,
		Desired: desired, Facts: digests(facts), Changes: slices.Concat([]report.Change{}, plan.Changes), Later: plan.Later,
		Unreachable: plan.Unreachable,
	}
}

// Write puts the plan into a file that only its owner can read, whole or not at all.
func (s *Saved) Write(path string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".provision-plan-*") // made with mode 0600
	if err != nil {
		return report.Usage("name a file in a directory that can be written", "write the plan: %v", err)
	}
	_, err = f.Write(append(text, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return report.Usage("name a file that can be written", "write the plan: %v", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// maxSaved bounds the file of a plan.
const maxSaved = 64 << 20

// ReadSaved reads a plan that was kept.
func ReadSaved(path string) (*Saved, error) {
	const hint = "make a new one: provision plan --out FILE"
	info, err := os.Stat(path)
	if err != nil {
		return nil, report.Usage(hint, "read the plan: %v", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxSaved {
		return nil, report.Usage(hint, "read the plan: %s is not a file of a plan", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, report.Usage(hint, "read the plan: %v", err)
	}
	s := &Saved{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil || s.Version != savedVersion || s.Desired == "" {
		return nil, report.Usage(hint, "read the plan: %s is not a plan that this version of provision wrote", path)
	}
	return s, nil
}

// digests names each fact of a host.
func digests(facts Facts) map[string]map[string]string {
	out := map[string]map[string]string{}
	for id, f := range facts {
		if id == resource.LockID(id.Host) {
			continue // who was at work when the plan was made
		}
		if out[id.Host] == nil {
			out[id.Host] = map[string]string{}
		}
		out[id.Host][id.String()] = resource.Stable(id, f)
	}
	return out
}

// risky are the options that a plan can have been made with, in the words in which they are told.
var risky = []struct{ option, text string }{
	{"new-data", "--new-data: the stack begins with empty data where the old data is not found"},
	{"prune", "--prune: droplets that are no longer declared are removed"},
	{"resize", "--resize: droplets are switched off to get their declared size"},
}

// Allows says what the plan was allowed by name when it was made, for the person who carries it out later; "" for nothing.
func (s *Saved) Allows() string {
	var told []string
	for _, r := range risky {
		if s.Options[r.option] {
			told = append(told, r.text)
		}
	}
	if told == nil {
		return ""
	}
	return "this plan was made with " + strings.Join(told, "; ")
}

// Stale says, by name, what is no longer as it was when the plan was kept.
func (s *Saved) Stale(desired string, plan *report.Plan, facts Facts) error {
	const hint = "see what differs now, and keep a new plan: provision plan --out FILE"
	if s.Desired != desired {
		return &report.Error{Code: report.ExitStale, Cause: "the inventory, the stack or the flows have changed since the plan was made; nothing was changed", Hint: hint}
	}
	var errs []error
	now := digests(facts)
	for _, host := range slices.Sorted(maps.Keys(now)) {
		var differ []string
		for _, step := range slices.Sorted(maps.Keys(now[host])) {
			if s.Facts[host][step] != now[host][step] {
				differ = append(differ, step)
			}
		}
		if len(differ) > 0 {
			errs = append(errs, &report.Error{Code: report.ExitStale, Host: host, Step: "compare with the plan", Cause: "changed since the plan was made: " + strings.Join(differ, ", ") + "; nothing was changed", Hint: hint})
		}
	}
	if errs == nil && !plan.Equal(&report.Plan{Changes: s.Changes, Later: s.Later}) {
		errs = append(errs, &report.Error{Code: report.ExitStale, Cause: "the plan made now announces other changes than the one that was kept; nothing was changed", Hint: hint})
	}
	return errors.Join(errs...)
}

// Announced refuses a plan of a later round that goes beyond what the kept one said.
func (s *Saved) Announced(plan *report.Plan) error {
	said := map[[2]string]bool{}
	for _, c := range s.Changes {
		said[[2]string{c.Host, c.Step}] = true
	}
	for _, l := range s.Later {
		said[[2]string{l.Host, l.Step}] = true
	}
	var errs []error
	for _, c := range plan.Changes {
		if !said[[2]string{c.Host, c.Step}] {
			errs = append(errs, &report.Error{
				Code: report.ExitStale, Host: c.Host, Step: c.Step, Cause: fmt.Sprintf("the plan did not announce this change: %s", c.Why),
				Hint: "what the plan announced is done; see what is left: provision plan",
			})
		}
	}
	return errors.Join(errs...)
}
