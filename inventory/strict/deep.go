package strict

import "strings"

// maxDepth is how many parts a dotted key may have, and how deep arrays and inline tables may be in
// each other. The library's time grows with the square of both: 80 kB of them would take minutes.
const maxDepth = 64

// TooDeep returns the line of a TOML text on which keys or values are nested deeper than anything
// that is meant, 0 if none are. It is a look at brackets and dots, in one go: what is no TOML is the
// parser's to find.
func TooDeep(text string) int {
	line, parts, depth, dotted := 1, 0, 0, false
	part := func() { // a bare or quoted word
		if !dotted {
			parts = 0
		}
		parts, dotted = parts+1, false
	}
	for i := 0; i < len(text); {
		if parts > maxDepth || depth > maxDepth {
			return line
		}
		switch c := text[i]; {
		case c == '\n':
			line, parts, dotted = line+1, 0, false
			i++
		case c == '#':
			i += len(upTo(text[i:], "\n"))
		case c == '"' || c == '\'':
			s := quoted(text[i:])
			part()
			line += strings.Count(s, "\n")
			i += len(s)
		case c == '.':
			dotted = parts > 0
			i++
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case strings.IndexByte("[{", c) >= 0:
			depth, parts, dotted = depth+1, 0, false
			i++
		case strings.IndexByte("]}", c) >= 0:
			depth, parts, dotted = max(depth-1, 0), 0, false
			i++
		case strings.IndexByte("=,", c) >= 0:
			parts, dotted = 0, false
			i++
		default:
			part()
			for i < len(text) && strings.IndexByte(" \t\r\n#\"'.[]{}=,", text[i]) < 0 {
				i++
			}
		}
	}
	if parts > maxDepth || depth > maxDepth {
		return line
	}
	return 0
}

// upTo is the text before a mark, all of it where there is none.
func upTo(text, mark string) string {
	before, _, _ := strings.Cut(text, mark)
	return before
}

// quoted is the string at the beginning of the text, with its quotes. One that does not end does so at
// the end of its line, or of the text where it may have several.
func quoted(text string) string {
	quote := text[:1]
	if strings.HasPrefix(text, strings.Repeat(quote, 3)) {
		quote = text[:3]
	}
	for i := len(quote); i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], quote):
			return text[:i+len(quote)]
		case text[i] == '\\' && quote[0] == '"':
			i++
		case text[i] == '\n' && len(quote) == 1:
			return text[:i]
		}
	}
	return text
}
