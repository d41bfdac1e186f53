package ui

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"

	"provision/provision/report"
)

// Live is the face on a terminal: a board with a line for each host, above which finished lines
// scroll up.
//
// The terminal stays as it is: no raw mode, no hidden cursor, no other screen, no question that the
// terminal would answer. So there is nothing to repair when the program ends, however it ends, and
// Ctrl-C stays a signal.
type Live struct {
	w io.Writer
	f *os.File
	s Style

	mu      sync.Mutex
	board   *board
	columns int
	rows    int
	program *tea.Program  // nil while the terminal is somebody else's
	ended   chan struct{} // closed when the program has let it go
	hidden  bool          // the picture is empty
	asked   bool          // a question is on the terminal
	broken  bool          // the library gave up: lines are all that is shown
}

var _ Face = (*Live)(nil)

// NewLive shows events on a terminal.
func NewLive(f *os.File, s Style) *Live {
	return &Live{w: f, f: f, s: s, board: newBoard(s, time.Now())}
}

func (l *Live) Event(e report.Event) {
	switch e.Type {
	case "plan":
		l.Pause()
		l.mu.Lock()
		defer l.mu.Unlock()
		if e.Text != "" {
			io.WriteString(l.w, l.s.yellow(e.Text)+"\n")
		}
		announced(l.w, l.s, e.Plan)
		l.board.event(e, time.Now())
	case "report":
		l.Pause()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.board.event(e, time.Now())
		l.flush()
	default:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.board.event(e, time.Now())
		l.show()
	}
}

func (l *Live) Say(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.board.remark = l.s.yellow(text)
	l.board.scroll(l.s.yellow(text))
	if l.program == nil && !l.asked {
		l.flush()
	}
}

func (l *Live) Close() { l.Pause() }

// Pause takes the picture away and waits until the terminal is free.
func (l *Live) Pause() {
	l.mu.Lock()
	program, ended := l.program, l.ended
	l.hidden = true
	l.mu.Unlock()
	if program == nil {
		return
	}
	program.Quit()
	<-ended
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
}

func (l *Live) Question() func() {
	l.mu.Lock()
	l.asked = true
	l.mu.Unlock()
	l.Pause()
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.asked = false
		l.show()
	}
}

// show begins to draw, if that is not so already. The caller holds l.mu.
func (l *Live) show() {
	if l.broken {
		l.flush()
		return
	}
	if l.program != nil || l.asked {
		return
	}
	l.hidden = false
	l.columns, l.rows = 80, 24
	if c, r, err := term.GetSize(int(l.f.Fd())); err == nil && c > 0 && r > 0 {
		l.columns, l.rows = c, r
	}
	profile := colorprofile.ASCII
	if l.s.Color {
		profile = colorprofile.TrueColor
	}
	program := tea.NewProgram(picture{l}, tea.WithInput(nil), tea.WithOutput(plainCursor{l.f}), tea.WithoutSignalHandler(),
		tea.WithEnvironment(environment(os.Getenv("TERM"))), tea.WithColorProfile(profile), tea.WithFPS(20))
	ended := make(chan struct{})
	l.program, l.ended = program, ended
	go func() {
		_, err := program.Run()
		l.mu.Lock()
		l.program = nil
		l.broken = l.broken || err != nil
		l.mu.Unlock()
		close(ended)
	}()
}

// plainCursor is a terminal whose cursor keeps the shape that its owner chose: the library sets one and
// does not set it back.
type plainCursor struct{ *os.File }

func (c plainCursor) Write(p []byte) (int, error) {
	if _, err := c.File.Write(bytes.ReplaceAll(p, []byte("\x1b[1 q"), nil)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// environment is what the library may know of the terminal. With SSH_TTY it does not ask the
// terminal what it can do: nobody would read the answer, which would show up in the shell later.
func environment(name string) []string {
	for _, asked := range []string{"ghostty", "wezterm", "alacritty", "kitty", "rio"} {
		if strings.Contains(name, asked) {
			name = "xterm-256color"
		}
	}
	return []string{"TERM=" + name, "SSH_TTY=yes"}
}

// flush writes finished lines where there is no picture. The caller holds l.mu.
func (l *Live) flush() {
	for _, line := range l.board.take(1 << 16) {
		io.WriteString(l.w, line+"\n")
	}
}

// picture is the board as the library wants it.
type picture struct{ l *Live }

type tick struct{}

const frame = 80 * time.Millisecond

func next() tea.Cmd { return tea.Tick(frame, func(time.Time) tea.Msg { return tick{} }) }

func (p picture) Init() tea.Cmd { return next() }

func (p picture) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	switch m := msg.(type) {
	case tea.WindowSizeMsg:
		p.l.columns, p.l.rows = m.Width, m.Height
	case tick:
		if p.l.hidden {
			return p, nil
		}
		if lines := p.l.board.take(p.l.columns); len(lines) > 0 {
			return p, tea.Sequence(tea.Println(strings.Join(lines, "\n")), next())
		}
		return p, next()
	}
	return p, nil
}

func (p picture) View() tea.View {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	text := ""
	if !p.l.hidden {
		text = p.l.board.view(time.Now(), p.l.columns, p.l.rows)
	}
	v := tea.NewView(text)
	v.DisableBracketedPasteMode = true
	last := text[strings.LastIndexByte(text, '\n')+1:]
	v.Cursor = tea.NewCursor(width(last), strings.Count(text, "\n"))
	return v
}
