package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"strings"
)

// checkDocumentation demands a comment on everything exported, and one on each package.
func checkDocumentation(r *Repo) []string {
	_, found := r.documentation()
	return found
}

// documentation counts what is exported and finds what has no comment. A comment on a function,
// method or type begins with its name, after an article at most. A group of constants or variables may
// share one, and so may fields on neighbouring lines; a field also counts as documented where the
// type's comment names it. Package main exports nothing.
func (r *Repo) documentation() (total int, found []string) {
	for dir, files := range byDir(r.goFiles(true)) {
		found = append(found, r.packageComment(dir, files)...)
		for _, f := range files {
			if f.Test || f.AST.Name.Name == "main" {
				continue
			}
			d := &docSearch{repo: r}
			for _, decl := range f.AST.Decls {
				switch decl := decl.(type) {
				case *ast.FuncDecl:
					d.function(decl)
				case *ast.GenDecl:
					d.general(decl)
				}
			}
			total += d.total
			found = append(found, d.found...)
		}
	}
	return total, found
}

// packageComment demands exactly one comment that begins "Package name", or "Command" or "Name"
// for a program. A package of tests alone may have it in a test file.
func (r *Repo) packageComment(dir string, files []*File) (found []string) {
	var with []*File
	for _, f := range files {
		if f.AST.Doc == nil {
			continue
		}
		with = append(with, f)
		name := f.AST.Name.Name
		if text := f.AST.Doc.Text(); name != "main" && !strings.HasPrefix(text, "Package "+name+" ") {
			found = append(found, r.at(f.AST.Doc, "package comment does not begin %q", "Package "+name))
		}
	}
	if len(with) != 1 {
		found = append(found, fmt.Sprintf("%s:1: package has %d package comments, want 1", files[0].Path, len(with)))
	}
	return found
}

// docSearch looks through one file.
type docSearch struct {
	repo  *Repo
	total int
	found []string
}

// want counts a name and reports it if it has no comment.
func (d *docSearch) want(n ast.Node, ok bool, name, comment string) {
	d.total++
	if !ok {
		d.found = append(d.found, d.repo.at(n, "exported %s has no %s", name, comment))
	}
}

func (d *docSearch) function(fn *ast.FuncDecl) {
	name := fn.Name.Name
	if !ast.IsExported(name) {
		return
	}
	if fn.Recv != nil {
		t := fn.Recv.List[0].Type
		for {
			if star, ok := t.(*ast.StarExpr); ok {
				t = star.X
			} else if index, ok := t.(*ast.IndexExpr); ok {
				t = index.X
			} else {
				break
			}
		}
		if !ast.IsExported(identName(t)) {
			return
		}
	}
	d.want(fn, begins(fn.Doc, name), name, "comment that begins with its name")
}

func (d *docSearch) general(g *ast.GenDecl) {
	for _, spec := range g.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			d.typeSpec(g, s)
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if ast.IsExported(name.Name) {
					d.want(name, hasText(g.Doc) || hasText(s.Doc) || hasText(s.Comment), name.Name, "comment")
				}
			}
		}
	}
}

func (d *docSearch) typeSpec(g *ast.GenDecl, s *ast.TypeSpec) {
	name := s.Name.Name
	if !ast.IsExported(name) {
		return
	}
	doc := s.Doc
	if doc == nil && g.Lparen == token.NoPos {
		doc = g.Doc
	}
	d.want(s, begins(doc, name), name, "comment that begins with its name")
	switch t := s.Type.(type) {
	case *ast.StructType:
		d.fields(name, doc, t.Fields)
	case *ast.InterfaceType:
		d.fields(name, doc, t.Methods)
	}
}

// fields judges a struct's fields or an interface's methods, in runs of neighbouring lines.
func (d *docSearch) fields(of string, doc *ast.CommentGroup, list *ast.FieldList) {
	documented, last := false, 0 // whether a field of the run before has a comment; its last line
	for i, f := range list.List {
		line := d.repo.fset.Position(start(f)).Line
		if line > last+1 {
			documented = runDocumented(d.repo, list.List[i:])
		}
		last = d.repo.fset.Position(f.End()).Line
		for _, name := range f.Names {
			if ast.IsExported(name.Name) {
				d.want(name, documented || names(doc, name.Name), of+"."+name.Name, "comment, nor have its neighbours")
			}
		}
	}
}

// runDocumented reports whether one of the fields on neighbouring lines has a comment.
func runDocumented(r *Repo, fields []*ast.Field) bool {
	last := r.fset.Position(start(fields[0])).Line
	for _, f := range fields {
		if r.fset.Position(start(f)).Line > last+1 {
			return false
		}
		if hasText(f.Doc) || hasText(f.Comment) {
			return true
		}
		last = r.fset.Position(f.End()).Line
	}
	return false
}

// start is where a field begins, its comment included.
func start(f *ast.Field) token.Pos {
	if f.Doc != nil {
		return f.Doc.Pos()
	}
	return f.Pos()
}

func hasText(doc *ast.CommentGroup) bool { return doc != nil && strings.TrimSpace(doc.Text()) != "" }

// begins reports whether a comment begins with a name, after an article at most.
func begins(doc *ast.CommentGroup, name string) bool {
	if doc == nil {
		return false
	}
	text := doc.Text()
	for _, article := range []string{"A ", "An ", "The "} {
		text = strings.TrimPrefix(text, article)
	}
	rest, ok := strings.CutPrefix(text, name)
	return ok && strings.IndexAny(rest, " \n,.:'’([") == 0
}

// names reports whether a comment mentions a name as a word, in upper or lower case.
func names(doc *ast.CommentGroup, name string) bool {
	return doc != nil && regexp.MustCompile(`(?i)\b`+name+`\b`).MatchString(doc.Text())
}
