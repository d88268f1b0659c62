package lint

import (
	"fmt"
	"go/ast"
	"go/scanner"
	"go/token"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

const (
	maxFunction    = 80 // lines
	maxFunctionP90 = 30
	maxFile        = 500
)

// maxDocument bounds the lines of the documents at the root.
var maxDocument = map[string]int{"README.md": 200, "DESIGN.md": 200, "CONTRIBUTING.md": 80}

// checkSizes holds functions, files and documents against their bounds. Tests and generated code
// have none.
func checkSizes(r *Repo) (found []string) {
	var all []int
	for _, f := range r.goFiles(false) {
		if f.Generated {
			continue
		}
		if len(f.Lines) > maxFile {
			found = append(found, f.at(1, "%d lines, want at most %d", len(f.Lines), maxFile))
		}
		for _, fn := range functions(f) {
			n := r.length(fn)
			all = append(all, n)
			if n > maxFunction {
				found = append(found, r.at(fn, "%s has %d lines, want at most %d", fn.Name.Name, n, maxFunction))
			}
		}
	}
	if p90 := percentile(all, 90); p90 > maxFunctionP90 {
		found = append(found, fmt.Sprintf("go.mod:1: nine of ten functions have up to %d lines, want %d", p90, maxFunctionP90))
	}
	for name, most := range maxDocument {
		src, err := fs.ReadFile(r.fsys, name)
		if n := strings.Count(string(src), "\n"); err == nil && n > most {
			found = append(found, fmt.Sprintf("%s:1: %d lines, want at most %d", name, n, most))
		}
	}
	return found
}

// functions returns a file's functions that have a body.
func functions(f *File) (list []*ast.FuncDecl) {
	for _, d := range f.AST.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
			list = append(list, fn)
		}
	}
	return list
}

// length is a function's number of lines, from func to the closing brace.
func (r *Repo) length(fn *ast.FuncDecl) int {
	return r.fset.Position(fn.End()).Line - r.fset.Position(fn.Pos()).Line + 1
}

// percentile returns the smallest element that p percent of the list do not exceed.
func percentile(list []int, p int) int {
	if len(list) == 0 {
		return 0
	}
	list = slices.Sorted(slices.Values(list))
	return list[(len(list)*p+99)/100-1]
}

// sizes are the numbers of one room's Go code, generated files left out.
type sizes struct {
	functions, files []int // lengths in lines
	comments, code   int   // lines with a comment, lines with code, of non-test files
	tests            int   // lines with code of test files
}

// Table formats the sizes of the tree's Go code by room, with the bars in the last row.
func Table(r *Repo) string {
	rows := make(map[string]*sizes)
	total := new(sizes)
	for _, f := range r.goFiles(true) {
		if f.Generated {
			continue
		}
		key, _ := roomOf(f.Dir)
		if rows[key] == nil {
			rows[key] = new(sizes)
		}
		rows[key].add(r, f)
		total.add(r, f)
	}
	exported, undocumented := r.documentation()
	var b strings.Builder
	format := "%-20s %6s %19s %6s %16s %9s %10s\n"
	fmt.Fprintf(&b, format, "", "funcs", "p50/p90/p99/max", "files", "p50/p90/max", "comment %", "test:code")
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		name := key
		if key == "" {
			name = "(root)"
		}
		b.WriteString(rows[key].row(format, name))
	}
	b.WriteString(total.row(format, "all"))
	fmt.Fprintf(&b, format, "bar", "", "8/30/60/80", "", "120/300/500", "18-28", "0.7-1.1")
	fmt.Fprintf(&b, "%d exported names, %d findings of documentation; the root package depends on %d modules: %v\n",
		exported, len(undocumented), len(r.rootDependencies()), slices.Sorted(maps.Keys(r.rootDependencies())))
	return b.String()
}

func (s *sizes) row(format, name string) string {
	f, l := s.functions, s.files
	ratio := func(a, b, scale int) string {
		if b == 0 {
			return "-"
		}
		return fmt.Sprintf("%.2f", float64(a)*float64(scale)/float64(b))
	}
	return fmt.Sprintf(format, name,
		fmt.Sprint(len(f)), fmt.Sprintf("%d/%d/%d/%d", percentile(f, 50), percentile(f, 90), percentile(f, 99), percentile(f, 100)),
		fmt.Sprint(len(l)), fmt.Sprintf("%d/%d/%d", percentile(l, 50), percentile(l, 90), percentile(l, 100)),
		ratio(s.comments, s.comments+s.code, 100), ratio(s.tests, s.code, 1))
}

// add counts one file.
func (s *sizes) add(r *Repo, f *File) {
	comments, code := f.count()
	if f.Test {
		s.tests += code
		return
	}
	s.comments += comments
	s.code += code
	s.files = append(s.files, len(f.Lines))
	for _, fn := range functions(f) {
		s.functions = append(s.functions, r.length(fn))
	}
}

// count returns the lines that hold a comment alone, and those that hold code.
func (f *File) count() (comments, code int) {
	src := []byte(strings.Join(f.Lines, "\n"))
	set := token.NewFileSet()
	file := set.AddFile(f.Path, -1, len(src))
	var s scanner.Scanner
	s.Init(file, src, nil, scanner.ScanComments)
	comment, coded := make(map[int]bool), make(map[int]bool)
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			break
		}
		if tok == token.SEMICOLON && text == "\n" {
			continue
		}
		lines := coded
		if tok == token.COMMENT {
			lines = comment
		}
		for i := range 1 + strings.Count(text, "\n") {
			lines[file.Line(pos)+i] = true
		}
	}
	for line := range comment {
		if !coded[line] {
			comments++
		}
	}
	return comments, len(coded)
}
