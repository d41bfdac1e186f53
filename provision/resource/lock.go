package resource

import (
	"fmt"
	"strings"

	"provision/remote"
)

// Where a host's lock is, and the note that says who holds it.
const (
	LockPath = Root + "/lock"
	NotePath = Root + "/lock.note"
	// AbandonedMark is the last line of the note of a run that was given up while a change was in hand.
	AbandonedMark = "abandoned"
)

// LockID is the ID of what is known of a host's lock. It is nothing that a plan changes.
func LockID(host string) ID { return ID{host, "lock", ""} }

// ProbeLock asks who is at work on a host: who has left a note there and whose shell is still the one
// that the note names. Where there is no note it costs no process.
func ProbeLock(s *Script, host string) {
	s.Record(LockID(host), scripts.With("lock_probe", "n", NotePath))
}

// AtWork says who is at work on a host, since when and with what; "" where nobody is, or nobody says so.
func AtWork(w World, host string) string {
	rec, know := w.Fact(LockID(host))
	if know != Yes {
		return ""
	}
	name, since, doing := oneLine(rec.Fields["who"]), oneLine(rec.Fields["since"]), oneLine(rec.Fields["doing"])
	switch doing {
	case AbandonedMark:
		return fmt.Sprintf("%s gave up its work on this host, %s, and what it began still runs", name, since)
	case "":
		return fmt.Sprintf("%s is at work on this host, %s", name, since)
	}
	return fmt.Sprintf("%s is at work on this host, %s, doing %s", name, since, doing)
}

func oneLine(s string) string {
	s = remote.Sanitize(strings.TrimSpace(s))
	return strings.ReplaceAll(s[:min(len(s), 500)], "\n", " ")
}
