package ui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/huh/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
)

// Question is one thing that a person is asked on a terminal.
type Question struct {
	Title   string
	Help    string   // what one might want to know; may be empty
	Choices []Choice // the answer is one of these; without them it is typed
	Default string   // the answer of who only presses Enter
	// Check says what is wrong with an answer; the question is asked again with it.
	Check func(answer string) error
}

// Choice is one of the answers to a question.
type Choice struct{ Value, Title string }

// ErrAborted is the answer of who pressed Ctrl-C.
var ErrAborted = errors.New("aborted at the question")

// Ask asks one question and leaves the answer in one line. The terminal is afterwards as it was before.
func Ask(ctx context.Context, in, out *os.File, s Style, q Question) (string, error) {
	answer := q.Default
	check := func(text string) error {
		if q.Check == nil {
			return nil
		}
		return q.Check(strings.TrimSpace(text))
	}
	var field huh.Field
	if len(q.Choices) > 0 {
		var options []huh.Option[string]
		for _, c := range q.Choices {
			options = append(options, huh.NewOption(c.Title, c.Value))
		}
		field = huh.NewSelect[string]().Title(q.Title).Description(q.Help).Options(options...).Value(&answer).Validate(check)
	} else {
		field = huh.NewInput().Title(q.Title).Description(q.Help).Value(&answer).Validate(check)
	}
	profile := colorprofile.ASCII
	if s.Color {
		profile = colorprofile.TrueColor
	}
	form := huh.NewForm(huh.NewGroup(field)).WithTheme(huh.ThemeFunc(theme)).WithProgramOptions(
		tea.WithInput(in), tea.WithOutput(plainCursor{out}), tea.WithEnvironment(environment(os.Getenv("TERM"))), tea.WithColorProfile(profile))
	switch err := form.RunWithContext(ctx); {
	case errors.Is(err, huh.ErrUserAborted):
		return "", ErrAborted
	case err != nil:
		return "", err
	}
	answer = strings.TrimSpace(answer)
	shown := answer
	for _, c := range q.Choices {
		if c.Value == answer {
			shown = c.Title
		}
	}
	if shown == "" {
		shown = "-"
	}
	_, err := fmt.Fprintf(out, "%s  %s\n", q.Title, s.bold(shown))
	return answer, err
}

// theme has the colours of the terminal's own palette, which its owner chose to be readable.
func theme(dark bool) *huh.Styles {
	t := huh.ThemeBase(dark)
	t.Focused.Title = t.Focused.Title.Bold(true)
	t.Focused.Description = t.Focused.Description.Faint(true)
	t.Focused.SelectSelector = t.Focused.SelectSelector.Foreground(lipgloss.Cyan)
	t.Focused.ErrorMessage = t.Focused.ErrorMessage.Foreground(lipgloss.Red)
	t.Focused.ErrorIndicator = t.Focused.ErrorIndicator.Foreground(lipgloss.Red)
	return t
}
