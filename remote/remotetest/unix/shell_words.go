package unix

import (
	"strings"

	"mvdan.cc/sh/v3/pattern"
	"mvdan.cc/sh/v3/syntax"
)

func parser() *syntax.Parser { return syntax.NewParser(syntax.Variant(syntax.LangPOSIX)) }

// prepare rewrites words where the expansion module differs from dash: braces are quoted, since dash
// has no brace expansion, and so are characters after a backslash and quoted parts of patterns, which
// the module forgets about. What cannot be rewritten is reported.
func (s *shell) prepare(n syntax.Node) {
	syntax.Walk(n, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Redirect:
			if n.Hdoc != nil {
				s.prepareParts(n.Hdoc.Parts)
				return false
			}
		case *syntax.DblQuoted:
			s.prepareParts(n.Parts)
			return false
		case *syntax.ParamExp:
			s.prepareParam(n, false)
			return false
		case *syntax.Word:
			var parts []syntax.WordPart
			for _, part := range n.Parts {
				if lit, ok := part.(*syntax.Lit); ok {
					parts = append(parts, literalParts(lit.Value)...)
				} else {
					parts = append(parts, part)
				}
			}
			n.Parts = parts
		}
		return true
	})
}

// prepareParts goes into what is quoted, where literals stay as they are.
func (s *shell) prepareParts(parts []syntax.WordPart) {
	for _, part := range parts {
		switch part := part.(type) {
		case *syntax.ParamExp:
			s.prepareParam(part, true)
		case *syntax.CmdSubst, *syntax.ArithmExp:
			s.prepare(part)
		}
	}
}

func (s *shell) prepareParam(e *syntax.ParamExp, quoted bool) {
	if e.Exp == nil || e.Exp.Word == nil {
		return
	}
	w := e.Exp.Word
	switch e.Exp.Op {
	case syntax.RemSmallPrefix, syntax.RemLargePrefix, syntax.RemSmallSuffix, syntax.RemLargeSuffix:
		for i, part := range w.Parts {
			switch part := part.(type) {
			case *syntax.SglQuoted:
				w.Parts[i] = &syntax.Lit{Value: pattern.QuoteMeta(part.Value, 0)}
			case *syntax.DblQuoted:
				for k, inner := range part.Parts {
					lit, ok := inner.(*syntax.Lit)
					if !ok {
						s.p.sys.Unknown("shell: an expansion in quotes in a pattern of ${name%pattern}")
						return
					}
					part.Parts[k] = &syntax.Lit{Value: strings.ReplaceAll(pattern.QuoteMeta(lit.Value, 0), `\`, `\\`)}
				}
			default:
				s.prepareParts([]syntax.WordPart{part})
			}
		}
	default:
		// The module expands the word even if it is not needed, so it must have no effect.
		syntax.Walk(w, func(n syntax.Node) bool {
			if _, ok := n.(*syntax.CmdSubst); ok {
				s.p.sys.Unknown("shell: a command substitution inside ${name...}")
			}
			return true
		})
		if quoted {
			s.prepareParts(w.Parts)
		} else {
			s.prepare(w)
		}
	}
}

func literalParts(text string) (parts []syntax.WordPart) {
	plain := ""
	flush := func() {
		if plain != "" {
			parts = append(parts, &syntax.Lit{Value: plain})
			plain = ""
		}
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			if text[i] != '\n' {
				flush()
				parts = append(parts, &syntax.SglQuoted{Value: text[i : i+1]})
			}
		case c == '{':
			flush()
			parts = append(parts, &syntax.SglQuoted{Value: "{"})
		default:
			plain += text[i : i+1]
		}
	}
	flush()
	return parts
}
