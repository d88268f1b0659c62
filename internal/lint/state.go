package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// stateAllowed lists the package variables that a library may change after init, with the reason.
var stateAllowed = map[string]string{
	"kernels.registry":  "written by the kernel packages' init functions, under its lock",
	"kernels/peak.sink": "keeps the portable loops from being optimised away",
}

// checkState finds package variables of libraries that change after init: assigned (whole, by
// element or by field), incremented, passed to delete, clear or copy, their address taken, or a
// pointer method of this package called on them; variables whose declared type exists to change (of
// sync and sync/atomic, channels); and exported ones other than errors, which anyone can change.
//
// It cannot see a change through an alias (m := table; m[k] = v), inside a function that is handed
// a map or slice, or by a pointer method of another package's type whose type is not declared.
func checkState(r *Repo) (found []string) {
	for dir, files := range byDir(r.goFiles(false)) {
		if key, _ := roomOf(dir); rooms[key].floor >= library {
			continue
		}
		s := &stateSearch{repo: r, dir: dir}
		s.resolve(files)
		for _, f := range files {
			s.declarations(f.AST)
			s.changes(f.AST)
		}
		found = append(found, s.found...)
	}
	return found
}

// stateSearch looks through one package.
type stateSearch struct {
	repo  *Repo
	dir   string
	pkg   *types.Package
	info  types.Info
	found []string
}

// resolve connects the package's identifiers with what they name. Imported packages are empty to
// it, and files of several platforms declare the same names, so it passes over every type error.
func (s *stateSearch) resolve(files []*File) {
	s.info = types.Info{
		Uses:       make(map[*ast.Ident]types.Object),
		Selections: make(map[*ast.SelectorExpr]*types.Selection),
	}
	var parsed []*ast.File
	for _, f := range files {
		parsed = append(parsed, f.AST)
	}
	conf := types.Config{Importer: hollow{}, Error: func(error) {}, DisableUnusedImportCheck: true}
	s.pkg, _ = conf.Check(s.dir, s.repo.fset, parsed, &s.info)
}

// hollow imports every package as an empty one.
type hollow struct{}

// Import returns an empty package.
func (hollow) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, packageName(path))
	p.MarkComplete()
	return p, nil
}

func (s *stateSearch) report(n ast.Node, name, what string) {
	if _, ok := stateAllowed[strings.TrimPrefix(s.dir+"."+name, ".")]; !ok {
		s.found = append(s.found, s.repo.at(n, "package variable %s %s", name, what))
	}
}

// declarations judges variables by how they are declared.
func (s *stateSearch) declarations(f *ast.File) {
	names := importNames(f)
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, spec := range g.Specs {
			v := spec.(*ast.ValueSpec)
			for _, name := range v.Names {
				if ast.IsExported(name.Name) && !strings.HasPrefix(name.Name, "Err") && !embedded(g, v) {
					s.report(name, name.Name, "is exported: anyone can change it")
				}
				if why := changing(names, v.Type); why != "" {
					s.report(name, name.Name, why)
				}
			}
		}
	}
}

// embedded reports whether a go:embed directive fills the variable, whose files cannot change.
func embedded(g *ast.GenDecl, v *ast.ValueSpec) bool {
	return directive(g.Doc, "//go:embed") || directive(v.Doc, "//go:embed")
}

// directive reports whether a comment group holds a directive.
func directive(doc *ast.CommentGroup, name string) bool {
	if doc == nil {
		return false
	}
	for _, c := range doc.List {
		if c.Text == name || strings.HasPrefix(c.Text, name+" ") {
			return true
		}
	}
	return false
}

// changing says why a declared type exists to change.
func changing(names map[string]string, t ast.Expr) string {
	switch t := t.(type) {
	case *ast.ChanType:
		return "is a channel"
	case *ast.IndexExpr:
		return changing(names, t.X)
	case *ast.StarExpr:
		return changing(names, t.X)
	case *ast.SelectorExpr:
		if p := names[identName(t.X)]; p == "sync" || p == "sync/atomic" {
			return fmt.Sprintf("is a %s.%s", p, t.Sel.Name)
		}
	}
	return ""
}

// changes finds what happens to package variables outside init.
func (s *stateSearch) changes(f *ast.File) {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv == nil && fn.Name.Name == "init" {
			continue
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for _, lhs := range n.Lhs {
					s.touch(lhs, "is assigned in "+fn.Name.Name)
				}
			case *ast.IncDecStmt:
				s.touch(n.X, "is changed in "+fn.Name.Name)
			case *ast.RangeStmt:
				if n.Tok == token.ASSIGN {
					s.touch(n.Key, "is assigned in "+fn.Name.Name)
					s.touch(n.Value, "is assigned in "+fn.Name.Name)
				}
			case *ast.UnaryExpr:
				if n.Op == token.AND {
					s.touch(n.X, "has its address taken in "+fn.Name.Name)
				}
			case *ast.CallExpr:
				s.call(n, fn.Name.Name)
			}
			return true
		})
	}
}

// call judges built-in functions that change their first argument, and pointer methods.
func (s *stateSearch) call(c *ast.CallExpr, in string) {
	switch fun := c.Fun.(type) {
	case *ast.Ident:
		if name := fun.Name; len(c.Args) > 0 && (name == "delete" || name == "clear" || name == "copy") {
			s.touch(c.Args[0], "is changed by "+name+" in "+in)
		}
	case *ast.SelectorExpr:
		sel := s.info.Selections[fun]
		if sel == nil {
			return
		}
		if m, ok := sel.Obj().(*types.Func); ok {
			if _, pointer := m.Signature().Recv().Type().(*types.Pointer); pointer {
				s.touch(fun.X, "has its method "+fun.Sel.Name+" called in "+in)
			}
		}
	}
}

// touch reports the package variable at the root of an expression.
func (s *stateSearch) touch(e ast.Expr, what string) {
	for {
		switch x := e.(type) {
		case *ast.ParenExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.Ident:
			if v, ok := s.info.Uses[x].(*types.Var); ok && s.pkg != nil && v.Parent() == s.pkg.Scope() {
				s.report(x, x.Name, what)
			}
			return
		default:
			return
		}
	}
}
