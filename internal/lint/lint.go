// Package lint holds the laws of the source tree: functions from its files to what breaks them.
//
// A tree is read whole and parsed in this process, so that the test cache sees every file a verdict
// rests on; only the test that builds for every platform asks the go tool. [Laws] lists the laws.
// Two tables carry the policy that is edited: rooms (floors.go), which says for every package what
// it may import from this module and from others, and the allow-lists beside the bans (bans.go,
// state.go).
//
// The tests run every law twice: on this repository, which must obey, and on small trees that
// break it, which must be caught.
package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Law is a rule with the function that finds what breaks it. A finding reads "path:line: text".
type Law struct {
	Name  string
	Check func(r *Repo) []string // returns the findings, in no order
}

// Laws lists all laws.
func Laws() []Law {
	return []Law{
		{"floors", checkFloors},
		{"root dependencies", checkRootDependencies},
		{"unsafe", checkUnsafe},
		{"goroutines", checkGoroutines},
		{"process", checkProcess},
		{"state", checkState},
		{"panics", checkPanics},
		{"assembly text", checkText},
		{"assembly instructions", checkInstructions},
		{"assembly files", checkAssemblyFiles},
		{"registration", checkRegistration},
		{"documentation", checkDocumentation},
		{"sizes", checkSizes},
		{"goldens", checkGoldens},
		{"tracked files", checkTracked},
		{"comments", checkComments},
	}
}

// Repo is a source tree, parsed.
type Repo struct {
	Module string  // module path
	Files  []*File // every .go, .s and .h file outside testdata and nested modules, by path

	fsys     fs.FS
	fset     *token.FileSet
	requires []string // module paths of go.mod's require lines
}

// File is a source file.
type File struct {
	Path      string    // relative to the root, with slashes
	Dir       string    // its directory, "" for the root
	Lines     []string  // its text
	AST       *ast.File // nil for assembly
	Test      bool      // a _test.go file
	Generated bool      // "Code generated ... DO NOT EDIT."
}

var generated = regexp.MustCompile(`^// Code generated .* DO NOT EDIT\.$`)

// Load reads and parses the tree below the directory that holds go.mod. It fails on a file that
// cannot be read or parsed.
func Load(fsys fs.FS) (*Repo, error) {
	r := &Repo{fsys: fsys, fset: token.NewFileSet()}
	if err := r.readModule(); err != nil {
		return nil, err
	}
	err := r.walk(func(p string) error {
		if ext := path.Ext(p); ext != ".go" && ext != ".s" && ext != ".h" {
			return nil
		}
		f, err := r.parse(p)
		r.Files = append(r.Files, f)
		return err
	})
	return r, err
}

// walk visits the files that belong to the module: not those of testdata, of nested modules and
// of directories the go tool ignores.
func (r *Repo) walk(visit func(p string) error) error {
	return fs.WalkDir(r.fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			return visit(p)
		}
		name := d.Name()
		if p == "." {
			return nil
		}
		if name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
			return fs.SkipDir
		}
		if _, err := fs.Stat(r.fsys, p+"/go.mod"); err == nil {
			return fs.SkipDir
		}
		return nil
	})
}

func (r *Repo) parse(p string) (*File, error) {
	src, err := fs.ReadFile(r.fsys, p)
	if err != nil {
		return nil, err
	}
	f := &File{Path: p, Dir: dirOf(p), Test: strings.HasSuffix(p, "_test.go")}
	f.Lines = strings.Split(strings.TrimSuffix(string(src), "\n"), "\n")
	f.Generated = slices.ContainsFunc(f.Lines[:min(len(f.Lines), 5)], generated.MatchString)
	if path.Ext(p) == ".go" {
		f.AST, err = parser.ParseFile(r.fset, p, src, parser.ParseComments|parser.SkipObjectResolution)
	}
	return f, err
}

// readModule reads the module path and the required modules.
func (r *Repo) readModule() error {
	src, err := fs.ReadFile(r.fsys, "go.mod")
	if err != nil {
		return err
	}
	block := false
	for line := range strings.Lines(string(src)) {
		w := strings.Fields(line)
		switch {
		case len(w) == 2 && w[0] == "module":
			r.Module = w[1]
		case len(w) == 2 && w[0] == "require" && w[1] == "(":
			block = true
		case len(w) >= 3 && w[0] == "require":
			r.requires = append(r.requires, w[1])
		case len(w) == 1 && w[0] == ")":
			block = false
		case len(w) >= 2 && block && !strings.HasPrefix(w[0], "//"):
			r.requires = append(r.requires, w[0])
		}
	}
	if r.Module == "" {
		return fmt.Errorf("lint: go.mod: no module line")
	}
	return nil
}

// goFiles returns the Go files, without tests unless asked for.
func (r *Repo) goFiles(tests bool) (files []*File) {
	for _, f := range r.Files {
		if f.AST != nil && (tests || !f.Test) {
			files = append(files, f)
		}
	}
	return files
}

// byDir groups files by directory.
func byDir(files []*File) map[string][]*File {
	m := make(map[string][]*File)
	for _, f := range files {
		m[f.Dir] = append(m[f.Dir], f)
	}
	return m
}

// at formats a finding at a node.
func (r *Repo) at(n ast.Node, format string, args ...any) string {
	p := r.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d: %s", p.Filename, p.Line, fmt.Sprintf(format, args...))
}

// at formats a finding at a line, counted from 1.
func (f *File) at(line int, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: %s", f.Path, line, fmt.Sprintf(format, args...))
}

// dirOf is path.Dir with "" for the root.
func dirOf(p string) string {
	if d := path.Dir(p); d != "." {
		return d
	}
	return ""
}

// within reports whether a slash-separated path is prefix or lies below it.
func within(p, prefix string) bool {
	rest, ok := strings.CutPrefix(p, prefix)
	return ok && (rest == "" || rest[0] == '/' || prefix == "")
}

// withinAny reports whether p lies in one of the trees.
func withinAny(p string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return within(p, prefix) })
}
