// Package report is what a run tells, for people and programs alike: events while it goes on, the plan that it shows,
// the errors with their exit codes, and what became of every change at the end. It decides nothing; text, live board and JSON
// are made from its types by cmd/provision.
package report
