// Package resource holds the kinds of things that a host should have: for each kind its probe, its
// diff and its change, together in one file. A resource says what should be, a record says what is,
// and Diff compares the two without touching anything.
//
// It does not know how plans are ordered, locked, shown or retried (package provision), nor how
// bytes reach a machine (package remote).
package resource

import (
	"context"
	"fmt"
)

// ID names one resource. Host is empty for what belongs to no machine (a cloud account).
type ID struct{ Host, Kind, Name string }

func (id ID) String() string {
	s := id.Kind
	if id.Name != "" {
		s += " " + id.Name
	}
	return s
}

// Know is what an observation can say of a resource. The zero value is Unknown: an observation
// that was cut off, failed or never made is never taken for absence.
type Know int

const (
	Unknown Know = iota
	No
	Yes
)

func (k Know) String() string { return [...]string{"unknown", "no", "yes"}[k] }

// Record is what a host answered about one resource. Its fields are data from the host: never
// program text, never a setting.
type Record struct {
	Fields map[string]string
	Why    string // why it is unknown, in the host's words
}

// Resource is one thing that a host should have.
type Resource interface {
	ID() ID
	// Needs are the edges of the graph: what must be in place before this. They may name other
	// hosts. An ID that no resource has is ignored.
	Needs() []ID
	// Probe adds this resource's read-only part of the host's one script.
	Probe(*Script)
	// Diff compares what should be with the facts. It is pure.
	Diff(World) []Change
	// Do carries out one change that Diff returned. It is safe to repeat and safe to be killed in.
	Do(context.Context, *Run, Change) error
}

// Checker is a resource that can tell, from the same facts, whether it works.
type Checker interface {
	// Check returns what is wrong now; an empty slice means that it was seen working.
	Check(World) []Problem
}

// Uncertain is a resource that can declare its recorded fact unknown after all, because the record cannot be parsed or its engine is
// being repaired.
type Uncertain interface {
	// WhyUnknown returns why the fact is unknown; "" if it is not.
	WhyUnknown(World) string
}

// Leader is a resource with changes that others can be judged by only when they are made.
type Leader interface {
	// Leads names the resources that are looked at again after a change.
	Leads(Change) []ID
}

// Valuer is a resource whose value others copy at apply time.
type Valuer interface {
	// Read fetches the value from the host that owns it.
	Read(context.Context, *Run) (Secret, error)
}

// World is all that is known when a diff is made: the facts of every host and what the plan
// already holds.
type World interface {
	Fact(ID) (Record, Know)
	// Pending tells whether this plan changes the resource.
	Pending(ID) bool
	// Option tells whether the operator allowed something by name ("new-data", "prune").
	Option(name string) bool
	// Parsed returns what parse makes of the facts of a kind on a host, and calls it once for all who
	// ask while one diff is made.
	Parsed(kind, host string, parse func() any) any
}

// parsed is World.Parsed with a type.
func parsed[T any](w World, kind, host string, parse func() T) T {
	return w.Parsed(kind, host, func() any { return parse() }).(T)
}

// Act is the kind of a change, as the plan shows it.
type Act string

const (
	Add     Act = "add"
	Modify  Act = "change"
	Replace Act = "replace"
	Remove  Act = "remove"
	Reload  Act = "reload"
	// Await gives what is not well some time to get well by itself before it is replaced.
	Await Act = "await"
	// Refuse is no change: the plan cannot be carried out, and the change's Why says the reason.
	Refuse Act = "refuse"
)

// Risk says what a change can cost.
type Risk int

const (
	Safe Risk = iota
	// Interrupts means that a service stops for a moment; Note says which and what it means.
	Interrupts
	// Preflight stands against the plan: nothing is done (exit 15).
	Preflight
	// Data means that data could be lost: nothing is done (exit 40).
	Data
	// Cloud means that the account does not offer it: nothing is done (exit 30).
	Cloud
)

// Change is one difference between what is and what should be. It is data: it holds no program
// and no secret.
type Change struct {
	ID   ID
	Act  Act
	Why  string
	Diff string // unified text diff, only of what is not secret
	Note string // what it interrupts
	Risk Risk
	Hint string // for refusals: what to do next
}

// Problem is something that does not work now, seen on a host.
type Problem struct {
	ID       ID
	What     string
	Evidence string
	Hint     string
}

func (p Problem) String() string { return fmt.Sprintf("%s: %s: %s", p.ID.Host, p.ID, p.What) }

// Secret is a value that prints as [secret].
type Secret struct{ s string }

// NewSecret wraps a value that must not be printed.
func NewSecret(s string) Secret { return Secret{s} }

func (Secret) String() string               { return "[secret]" }
func (Secret) GoString() string             { return "[secret]" }
func (Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// Reveal returns the value, for the one place that hands it over.
func (s Secret) Reveal() string { return s.s }

// Empty tells whether there is no value.
func (s Secret) Empty() bool { return s.s == "" }
