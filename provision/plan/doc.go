// Package plan says what differs. It is pure: from the resources that should be there, and the facts that were read on all hosts at one
// moment, it makes the plan, takes out of it what --limit or an unreachable host leaves out, and compares it with one that was kept.
package plan
