package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
)

var (
	todoWord = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)
	trigger  = regexp.MustCompile(`TODO: .*(\b([Ww]hen|[Oo]nce)\b|#[0-9]+)`)
	banner   = regexp.MustCompile(`={5,}|-{5,}|#{5,}|\*{5,}|~{5,}|_{5,}|/{5,}`)

	// codeLine matches lines that prose and equations do not have.
	codeLine = regexp.MustCompile(`(?m):=|\{$|^\}|^(return|defer|go|var|const|type|func|if|for|switch|case|import)\b.*[(){}=]|^[\w.]+\([^)]*\)$|\+\+$`)
)

// checkComments finds notes without a trigger, banners and, in Go, code that is commented out: a
// comment on lines of its own whose end parses as Go and looks like it. Code that prose follows, and
// examples, which are indented, pass.
func checkComments(r *Repo) (found []string) {
	for _, f := range r.Files {
		if f.AST == nil {
			for i, line := range f.Lines {
				if _, text, ok := strings.Cut(line, "//"); ok {
					found = append(found, f.remarks(i+1, text)...)
				}
			}
			continue
		}
		for _, group := range f.AST.Comments {
			for _, c := range group.List {
				line := r.fset.Position(c.Pos()).Line
				for i, text := range strings.Split(c.Text[2:], "\n") {
					found = append(found, f.remarks(line+i, text)...)
				}
			}
			line := r.fset.Position(group.Pos()).Line
			if c := codeIn(group); c != nil && strings.HasPrefix(strings.TrimSpace(f.Lines[line-1]), "//") {
				found = append(found, r.at(c, "code that is commented out"))
			}
		}
	}
	return found
}

// remarks judges one line of a comment.
func (f *File) remarks(line int, text string) (found []string) {
	if todoWord.MatchString(text) && !trigger.MatchString(text) {
		found = append(found, f.at(line, `want "TODO: ... when ...", "... once ..." or "... #issue"`))
	}
	if banner.MatchString(text) {
		found = append(found, f.at(line, "banner"))
	}
	return found
}

// codeIn returns the first line of a comment from which on it is Go statements or declarations.
func codeIn(group *ast.CommentGroup) *ast.Comment {
	var lines []*ast.Comment
	for _, c := range group.List {
		if strings.HasPrefix(c.Text, "//") && !strings.HasPrefix(c.Text, "//\t") && !directiveLine.MatchString(c.Text) {
			lines = append(lines, c)
		}
	}
	text := ""
	var first *ast.Comment
	for _, c := range slices.Backward(lines) {
		text = strings.TrimSpace(c.Text[2:]) + "\n" + text
		if codeLine.MatchString(text) && (parses("package p\nfunc _() {\n"+text+"}") || parses("package p\n"+text)) {
			first = c
		}
	}
	return first
}

var directiveLine = regexp.MustCompile(`^//[a-z]+:[a-z]`)

func parses(src string) bool {
	_, err := parser.ParseFile(token.NewFileSet(), "", src, parser.SkipObjectResolution)
	return err == nil
}
