package strict

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// SecretForms is how a secret is named, as a hint.
	SecretForms = `write { env = "NAME" }, { file = "PATH" } or { command = ["PROGRAM", "ARGUMENT"] }`
	maxSecret   = 64 << 10
	secretWait  = 2 * time.Minute // a password manager may ask its user for a passphrase
)

// SecretRef says where a secret is to be had; the secret itself is never in a file of ours. The zero value refers to none.
type SecretRef struct {
	Env     string   `toml:"env"`     // name of an environment variable
	File    string   `toml:"file"`    // path of a file
	Command []string `toml:"command"` // a program and its arguments, run without a shell; the secret is what it prints
}

// Set says whether it refers to anything.
func (s SecretRef) Set() bool { return s.Env != "" || s.File != "" || len(s.Command) > 0 }

// DecodeTOML takes exactly one of the three forms.
func (s *SecretRef) DecodeTOML(value any) (problem, hint string) {
	table, ok := value.(map[string]any)
	if !ok {
		return "a secret does not belong in this file, which is read, copied and committed by many", SecretForms
	}
	forms := slices.Sorted(maps.Keys(table))
	if len(forms) != 1 {
		return "must have exactly one of env, file and command", SecretForms
	}
	switch form := table[forms[0]]; forms[0] {
	case "env":
		s.Env, ok = form.(string)
		if !ok || !envName.MatchString(s.Env) {
			return "env must be the name of an environment variable", `for example { env = "SUDO_PASSWORD" }; the secret itself does not belong here`
		}
	case "file":
		s.File, ok = form.(string)
		if !ok || s.File == "" || strings.ContainsFunc(s.File, Control) {
			return "file must be a path", ""
		}
	case "command":
		elements, _ := Elements(form)
		for _, element := range elements {
			word, ok := element.(string)
			if !ok || strings.ContainsRune(word, 0) {
				elements = nil
				break
			}
			s.Command = append(s.Command, word)
		}
		if len(elements) == 0 || s.Command[0] == "" {
			s.Command = nil
			return "command must be a list of strings, the program first", `for example { command = ["pass", "show", "sudo"] }`
		}
	default:
		return "unknown form of a secret", SecretForms
	}
	return "", ""
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Resolve fetches the secret, without one newline at its end. Relative paths count from baseDir, the directory of the file with the reference,
// in which a command runs, too. An empty secret is an error. Errors name the place, and never hold anything of the secret:
// not even what a command said.
func (s SecretRef) Resolve(ctx context.Context, baseDir string) (string, error) {
	value, err := s.fetch(ctx, baseDir)
	if err != nil {
		return "", err
	}
	if cut, ok := strings.CutSuffix(value, "\n"); ok {
		value = strings.TrimSuffix(cut, "\r")
	}
	if value == "" {
		return "", fmt.Errorf("%s: the secret is empty", s.place())
	}
	return value, nil
}

func (s SecretRef) place() string {
	switch {
	case s.Env != "":
		return "environment variable " + s.Env
	case s.File != "":
		return "file " + s.File
	case len(s.Command) > 0:
		return "command " + s.Command[0]
	}
	return "secret"
}

func (s SecretRef) fetch(ctx context.Context, baseDir string) (string, error) {
	switch {
	case s.Env != "":
		value, ok := os.LookupEnv(s.Env)
		if !ok {
			return "", fmt.Errorf("%s is not set", s.place())
		}
		return value, nil
	case s.File != "":
		value, err := ReadFile(From(baseDir, s.File), maxSecret)
		if err != nil {
			return "", fmt.Errorf("%s %s", s.place(), PlainFileError(err))
		}
		return string(value), nil
	case len(s.Command) > 0:
		return s.run(ctx, baseDir)
	}
	return "", errors.New("no secret is given")
}

func (s SecretRef) run(ctx context.Context, baseDir string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, secretWait)
	defer cancel()
	program := s.Command[0]
	if strings.HasPrefix(program, "~/") {
		program = From(baseDir, program)
	}
	cmd := exec.CommandContext(ctx, program, s.Command[1:]...)
	cmd.Dir = baseDir
	cmd.WaitDelay = time.Second
	var out bounded
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		switch {
		case ctx.Err() != nil:
			return "", fmt.Errorf("%s: %w", s.place(), context.Cause(ctx))
		case out.full:
			return "", fmt.Errorf("%s: %w", s.place(), errTooMuch)
		case errors.As(err, &exit):
			return "", fmt.Errorf("%s: %s; run it by hand to see what it says", s.place(), exit.ProcessState)
		case errors.Is(err, exec.ErrNotFound):
			return "", fmt.Errorf("%s: there is no such program in PATH", s.place())
		}
		return "", fmt.Errorf("%s: %s", s.place(), PlainFileError(err))
	}
	return out.text.String(), nil
}

var errTooMuch = errors.New("printed more than a secret can be")

// bounded keeps a secret's worth of output.
type bounded struct {
	text strings.Builder
	full bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.text.Len()+len(p) > maxSecret {
		b.full = true
		return 0, errTooMuch
	}
	return b.text.Write(p)
}
