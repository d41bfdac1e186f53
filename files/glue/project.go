package glue

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/BurntSushi/toml"

	"provision/inventory/strict"
)

// maxLock is the largest lock file that is read.
const maxLock = 32 << 20

// ReadTOML reads a file that a tool has written into a user's project. Errors say what is wrong with it, without its path; os.ErrNotExist
// stays what it is.
func ReadTOML(path, tool string, into any) error {
	text, err := strict.ReadFile(path, maxLock)
	var bad *os.PathError
	switch {
	case errors.Is(err, os.ErrNotExist):
		return err
	case errors.As(err, &bad):
		return bad.Err
	case err != nil:
		return errors.New("cannot be read")
	}
	if line := strict.TooDeep(string(text)); line > 0 {
		return fmt.Errorf("line %d is nested too deep", line)
	}
	if _, err := toml.Decode(string(text), into); err != nil {
		var parse toml.ParseError
		if errors.As(err, &parse) {
			return fmt.Errorf("line %d is not TOML", parse.Position.Line)
		}
		return fmt.Errorf("is not what %s writes", tool)
	}
	return nil
}

// ShellWord is a path as it can be pasted into a shell.
func ShellWord(path string) string {
	plain := func(r rune) bool {
		return r == '/' || r == '.' || r == '_' || r == '-' || r == '~' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
	}
	if strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 && !strings.HasPrefix(path, "-") {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
