package main

import (
	"encoding/json"
	"fmt"
	"io"

	"provision/cmd/provision/ui"
	"provision/provision/report"
)

// Result is what a verb found or did. Its exported fields are its line of --json, beside the version and the type.
type Result interface {
	// Type is the type of the line, which docs/events.schema.json declares as TYPELine. Where the pass has sent an event of this
	// type, that event was the line, and none is added. Without a type the result is text for programs, too.
	Type() string
	// Text shows the result to a person.
	Text(w io.Writer, s ui.Style)
}

// textResult is the result of a verb that is text for everybody.
type textResult struct{ text func(w io.Writer, s ui.Style) }

func (textResult) Type() string                   { return "" }
func (r textResult) Text(w io.Writer, s ui.Style) { r.text(w, s) }

// write shows text of a verb that shows several things, one after the other.
func (c *cli) write(text func(w io.Writer, s ui.Style)) { _ = c.show(&textResult{text}) }

// show prints a result. Nothing else prints one.
func (c *cli) show(r Result) error {
	if c.face != nil {
		c.face.Pause()
	}
	if !c.json || r.Type() == "" {
		r.Text(c.out, c.style(c.term.OutIsTerminal()))
		return nil
	}
	if c.sent[r.Type()] {
		return nil
	}
	line, err := lineOf(r)
	if err == nil {
		_, err = c.out.Write(line)
	}
	return err
}

// lineOf is the line of a result in the machine output.
func lineOf(r Result) ([]byte, error) {
	fields, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	line := fmt.Appendf(nil, `{"version":%d,"type":%q`, report.EventVersion, r.Type())
	if len(fields) > len("{}") {
		line = append(line, ',')
	}
	return append(append(line, fields[1:]...), '\n'), nil
}

// shown is an error that the result has shown already: only its exit code is left to tell.
type shown struct{ err error }

func (e *shown) Error() string { return e.err.Error() }
func (e *shown) Unwrap() error { return e.err }
