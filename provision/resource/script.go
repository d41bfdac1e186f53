package resource

import (
	"bytes"
	"fmt"
	"strings"

	"provision/remote"
)

// Script composes the one read-only script of a host from the fragments of its resources, and
// reads back what it printed. Records are framed by a nonce that is new for each run, so content
// that was on a host before cannot imitate a frame.
//
// A fragment is POSIX sh. It answers with yes, no or unknown REASON, and with fields: `v KEY VALUE`
// or `f KEY` followed by raw output. A fragment that answers nothing leaves its resource unknown.
type Script struct {
	nonce      string
	once       map[string]bool
	shared     strings.Builder
	body       strings.Builder
	concurrent strings.Builder // functions, one for each record that is asked for beside the others
	calls      string          // of these functions
	ids        []ID
	images     map[string]bool
	deferred   []func() (ID, string)
}

// NewScript starts an empty script whose records are framed with the nonce.
func NewScript(nonce string) *Script {
	return &Script{nonce: nonce, once: map[string]bool{}}
}

// Nonce is also the salt of every digest of a secret that the script prints.
func (s *Script) Nonce() string { return s.nonce }

// Once adds shared text a single time, however many resources ask for it. It runs before all records.
func (s *Script) Once(key, sh string) {
	if !s.once[key] {
		s.once[key] = true
		s.shared.WriteString(sh)
		s.shared.WriteByte('\n')
	}
}

// Record adds the fragment that answers for one resource.
func (s *Script) Record(id ID, sh string) {
	fmt.Fprintf(&s.body, "r %d\n%s\n", len(s.ids), strings.TrimSpace(sh))
	s.ids = append(s.ids, id)
}

// Concurrent is Record for a fragment that mostly waits: it runs at the same time as all other records. Its
// input is empty, and what it sets is seen by nobody else.
func (s *Script) Concurrent(id ID, sh string) {
	n := len(s.ids)
	fmt.Fprintf(&s.concurrent, "b%d() {\nr %d\n%s\n}\n", n, n, strings.TrimSpace(sh))
	s.calls += fmt.Sprintf(" | beside b%d", n)
	s.ids = append(s.ids, id)
}

// Image asks the engine's record for an image by this reference.
func (s *Script) Image(ref string) {
	if s.images == nil {
		s.images = map[string]bool{}
	}
	s.images[ref] = true
}

// Deferred adds a concurrent record whose text is built after every other probe, so it can include what those asked for.
func (s *Script) Deferred(record func() (ID, string)) { s.deferred = append(s.deferred, record) }

// String returns the script. It is to be called once, after every Probe.
func (s *Script) String() string {
	for _, record := range s.deferred {
		s.Concurrent(record())
	}
	s.deferred = nil
	return "N=" + remote.Quote(s.nonce) + "\n" + scripts.With("observe") + s.shared.String() + s.concurrent.String() + "records() {\n:\n" + s.body.String() + "}\nrecords" + s.calls + "\nprintf '\\n%s e\\n' \"$N\"\n"
}

// Fact is one resource's record and what it says.
type Fact struct {
	Record
	Know Know
}

// Absent is the answer of a machine that has nothing of all this.
func (s *Script) Absent() map[ID]Fact {
	_ = s.String() // now every resource has asked
	facts := make(map[ID]Fact, len(s.ids))
	for _, id := range s.ids {
		facts[id] = Fact{Record: Record{Fields: map[string]string{}}, Know: No}
	}
	return facts
}

// Parse reads the output of the script. Every resource of the script has a fact in the result; one
// that the host did not answer for is Unknown. complete is false if the output was cut off.
func (s *Script) Parse(out []byte) (facts map[ID]Fact, complete bool) {
	facts = make(map[ID]Fact, len(s.ids))
	for _, id := range s.ids {
		facts[id] = Fact{Record: Record{Fields: map[string]string{}, Why: "the host gave no answer"}}
	}
	current := -1
	set := func(change func(*Fact)) {
		if current >= 0 {
			f := facts[s.ids[current]]
			change(&f)
			facts[s.ids[current]] = f
		}
	}
	for i, chunk := range bytes.Split(out, []byte("\n"+s.nonce+" ")) {
		if i == 0 {
			continue // noise before the first frame
		}
		head, content, _ := strings.Cut(string(chunk), "\n")
		kind, arg, _ := strings.Cut(head, " ")
		switch kind {
		case "r":
			current = -1
			var n int
			if _, err := fmt.Sscanf(arg, "%d", &n); err == nil && n >= 0 && n < len(s.ids) {
				current = n
			}
		case "k":
			set(func(f *Fact) {
				switch arg {
				case "yes":
					f.Know, f.Why = Yes, ""
				case "no":
					f.Know, f.Why = No, ""
				default:
					f.Know, f.Why = Unknown, remote.Sanitize(strings.TrimSpace(content))
				}
			})
		case "f":
			set(func(f *Fact) { f.Fields[arg] = content })
		case "e":
			complete = true
		}
	}
	return facts, complete
}
