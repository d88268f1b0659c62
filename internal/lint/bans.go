package lint

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// library is the number of floors that are silent, own no goroutine and never ask the process.
const library = 7

var (
	unsafeIn     = []string{"loader", "tensor", "kernels", "internal/kerneltest"}
	goroutinesIn = []string{"tensor/pool.go", "server", "cluster", "cmd"}

	// processIn lists the uses of the process that a package below floor 7 is allowed.
	processIn = map[string][]string{"internal/kerneltest": {"os.Getenv"}}
)

// process lists what only the upper floors may import whole ("") or use of a package: what
// prints, ends, configures or depends on the surroundings of the program.
var process = map[string][]string{
	"flag":      nil,
	"log":       nil,
	"os/exec":   nil,
	"os/signal": nil,
	"fmt":       {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
	"log/slog":  {"Default", "SetDefault", "Debug", "Info", "Warn", "Error", "Log", "DebugContext", "InfoContext", "WarnContext", "ErrorContext"},
	"os":        {"Args", "Chdir", "Clearenv", "Environ", "Exit", "ExpandEnv", "Getenv", "LookupEnv", "Setenv", "Stderr", "Stdin", "Stdout", "Unsetenv"},
	"syscall":   {"Environ", "Exit", "Getenv", "Setenv"},
}

// checkUnsafe confines package unsafe and what is like it.
func checkUnsafe(r *Repo) (found []string) {
	for _, f := range r.goFiles(true) {
		if withinAny(f.Dir, unsafeIn) {
			continue
		}
		for _, spec := range f.AST.Imports {
			if importPath(spec.Path.Value) == "unsafe" {
				found = append(found, r.at(spec, "imports unsafe, which is for %v", unsafeIn))
			}
		}
		for i, line := range f.Lines {
			if strings.HasPrefix(line, "//go:linkname") {
				found = append(found, f.at(i+1, "go:linkname"))
			}
		}
	}
	return found
}

// checkGoroutines confines the go statement and the calls that start a goroutine.
func checkGoroutines(r *Repo) (found []string) {
	for _, f := range r.goFiles(false) {
		if withinAny(f.Path, goroutinesIn) {
			continue
		}
		names := importNames(f.AST)
		ast.Inspect(f.AST, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				found = append(found, r.at(n, "go statement: goroutines are for %v", goroutinesIn))
			case *ast.SelectorExpr:
				if pkg := names[identName(n.X)]; n.Sel.Name == "AfterFunc" && (pkg == "time" || pkg == "context") {
					found = append(found, r.at(n, "%s.AfterFunc starts a goroutine", pkg))
				}
			case *ast.CallExpr:
				if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Go" && len(n.Args) == 1 {
					found = append(found, r.at(n, "a method Go starts a goroutine: goroutines are for %v", goroutinesIn))
				}
			}
			return true
		})
	}
	return found
}

// checkProcess keeps the lower floors silent and free of the process's surroundings.
func checkProcess(r *Repo) (found []string) {
	for _, f := range r.goFiles(false) {
		key, _ := roomOf(f.Dir)
		allowed, special := processIn[f.Dir]
		if rooms[key].floor >= library && !special {
			continue
		}
		for _, spec := range f.AST.Imports {
			p := importPath(spec.Path.Value)
			if names, ok := process[p]; ok && names == nil {
				found = append(found, r.at(spec, "a library imports %s", p))
			}
		}
		names := importNames(f.AST)
		ast.Inspect(f.AST, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				pkg := names[identName(n.X)]
				use := pkg + "." + n.Sel.Name
				if slices.Contains(process[pkg], n.Sel.Name) && !slices.Contains(allowed, use) {
					found = append(found, r.at(n, "a library uses %s", use))
				}
			case *ast.CallExpr:
				if name := identName(n.Fun); name == "print" || name == "println" {
					found = append(found, r.at(n, "a library calls %s", name))
				}
			}
			return true
		})
	}
	return found
}

// checkPanics demands that a library's panic begins with its package and function: the text is
// the leftmost string of the argument. What begins with a value is beyond it.
func checkPanics(r *Repo) (found []string) {
	for _, f := range r.goFiles(false) {
		if key, _ := roomOf(f.Dir); rooms[key].floor >= library {
			continue
		}
		name := f.AST.Name.Name
		want := regexp.MustCompile(`^(%s|` + name + `\.(%s|\w+(\.\w+)?)): `)
		ast.Inspect(f.AST, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || identName(call.Fun) != "panic" || len(call.Args) != 1 {
				return true
			}
			text, ok := leftmost(call.Args[0])
			if ok && !want.MatchString(text+" ") {
				found = append(found, r.at(call, `panic text %q, want "%s.Func: what is wrong"`, text, name))
			}
			return true
		})
	}
	return found
}

// leftmost returns the string literal a panic's text begins with: of a concatenation, or of a call
// such as fmt.Sprintf. A value that is no text, such as an error, counts as empty.
func leftmost(e ast.Expr) (text string, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		left, known := leftmost(e.X)
		if right, ok := leftmost(e.Y); known && ok {
			return left + right, true
		}
		return left, known
	case *ast.CallExpr:
		if len(e.Args) > 0 {
			return leftmost(e.Args[0])
		}
	case *ast.Ident:
		return "", e.Name == "err"
	}
	return "", false
}

// importNames maps the names by which a file knows packages to their paths.
func importNames(f *ast.File) map[string]string {
	names := make(map[string]string)
	for _, spec := range f.Imports {
		p := importPath(spec.Path.Value)
		name := packageName(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = p
	}
	return names
}

var majorVersion = regexp.MustCompile(`/v[0-9]+$`)

// packageName guesses a package's name from its path.
func packageName(p string) string {
	p = majorVersion.ReplaceAllString(p, "")
	return p[strings.LastIndexByte(p, '/')+1:]
}

// identName returns the name of an identifier, "" for any other expression.
func identName(e ast.Expr) string {
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// literal returns the value of a string literal.
func literal(e ast.Expr) (string, bool) {
	if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		s, err := strconv.Unquote(lit.Value)
		return s, err == nil
	}
	return "", false
}
