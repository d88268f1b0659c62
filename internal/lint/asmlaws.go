package lint

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strings"
)

const (
	maxTextLines     = 100
	maxAssemblyLines = 300
)

// isaName finds the instruction set at the end of a function's name; generated tiles add their
// size, as in f32AVX2x1x6.
var isaName = regexp.MustCompile(`(AVX512VNNI|AVX512BF16|AVX512|AVXVNNI|AVX2|NEONDOT|NEON)(x[0-9]+x[0-9]+)?$`)

// approximate matches the instructions whose results differ between processors or round otherwise. VDPBF16PS, which
// rounds otherwise, is for the files of the compute format that is named after it.
var approximate = regexp.MustCompile(`\b(V?RCP(SS|PS|14|28)\w*|V?RSQRT(SS|PS|14|28)\w*|VDPBF16PS|VF?RECPE|VF?RSQRTE|FRECPE|FRSQRTE)\b`)

// checkText demands of every assembly function a Go declaration that keeps its operands off the
// heap, a caller, a comment that repeats the declaration and names the instructions required, and
// a length that can be read.
func checkText(r *Repo) (found []string) {
	stubs, called := r.stubs()
	for dir, files := range r.assembly() {
		for _, f := range files {
			for _, t := range f.texts {
				if t.lines > maxTextLines {
					found = append(found, f.at(t.line, "%s has %d lines, want at most %d", t.name, t.lines, maxTextLines))
				}
				if t.local {
					continue
				}
				stub := stubs[symbol{dir, f.arch, t.name}]
				if stub == nil {
					found = append(found, f.at(t.line, "%s has no declaration in a %s Go file", t.name, f.arch))
					continue
				}
				if !directive(stub.Doc, "//go:noescape") {
					found = append(found, r.at(stub, "%s is not //go:noescape", t.name))
				}
				if !called[symbol{dir, f.arch, t.name}] {
					found = append(found, r.at(stub, "%s is never called", t.name))
				}
				if want := r.signature(stub); !slices.Contains(t.comment, " "+want) {
					found = append(found, f.at(t.line, "the comment above does not read %q", want))
				}
				if !strings.Contains(strings.Join(t.comment, "\n"), "Requires: ") {
					found = append(found, f.at(t.line, "the comment above %s does not say what it Requires:", t.name))
				}
			}
		}
	}
	return found
}

// symbol is an assembly function of a package on an architecture.
type symbol struct{ dir, arch, name string }

// stubs returns the Go functions without a body, and which of them the code of their package uses.
func (r *Repo) stubs() (stubs map[symbol]*ast.FuncDecl, called map[symbol]bool) {
	stubs, called = make(map[symbol]*ast.FuncDecl), make(map[symbol]bool)
	for _, f := range r.goFiles(false) {
		declared := make(map[*ast.Ident]bool)
		for _, d := range f.AST.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil {
				continue
			}
			declared[fn.Name] = true
			if fn.Body == nil {
				stubs[symbol{f.Dir, archOf(f.Path), fn.Name.Name}] = fn
			}
		}
		ast.Inspect(f.AST, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && !declared[id] {
				called[symbol{f.Dir, archOf(f.Path), id.Name}] = true
			}
			return true
		})
	}
	return stubs, called
}

// signature formats a function's declaration on one line.
func (r *Repo) signature(fn *ast.FuncDecl) string {
	bare := *fn
	bare.Doc = nil
	var b bytes.Buffer
	format.Node(&b, r.fset, &bare)
	return b.String()
}

// checkInstructions finds returns that leave the upper halves of amd64's vector registers dirty, and
// instructions that break the law of one result.
func checkInstructions(r *Repo) (found []string) {
	for _, files := range r.assembly() {
		wide := wideMacros(files)
		for _, f := range files {
			for _, t := range f.texts {
				if f.arch == "amd64" && slices.ContainsFunc(t.body, func(in instruction) bool { return in.wide(wide) }) {
					found = append(found, dirtyReturns(f, t)...)
				}
				found = append(found, approximations(f, t.body)...)
			}
			for _, name := range slices.Sorted(maps.Keys(f.macro)) {
				found = append(found, approximations(f, f.macro[name])...)
				for _, in := range f.macro[name] {
					if slices.ContainsFunc(in.split(), instruction.leaves) {
						found = append(found, f.at(in.line, "macro %s hides a return", name))
					}
				}
			}
		}
	}
	return found
}

// dirtyReturns finds the exits of a function that no VZEROUPPER immediately precedes.
func dirtyReturns(f *asmFile, t *text) (found []string) {
	before := ""
	for _, in := range t.body {
		if in.leaves() && before != "VZEROUPPER" {
			found = append(found, f.at(in.line, "%s uses Y or Z registers and has no VZEROUPPER before this %s", t.name, in.mnemonic()))
		}
		before = in.mnemonic()
	}
	return found
}

// approximations finds instructions that are not correctly rounded, by mnemonic or, where the
// instruction is spelled in bytes, by the comment beside it.
func approximations(f *asmFile, body []instruction) (found []string) {
	for _, in := range body {
		code := in.code
		if m := in.mnemonic(); m == "BYTE" || m == "WORD" || m == "LONG" || m == "QUAD" {
			code += " " + in.comment
		}
		if bad := approximate.FindString(code); bad != "" && !(bad == "VDPBF16PS" && strings.Contains(f.Path, "_bf16dot_")) {
			found = append(found, f.at(in.line, "%s is not correctly rounded", bad))
		}
	}
	return found
}

// checkAssemblyFiles demands that the purego tag removes every assembly file, that Go code takes
// its place there and on every other architecture, and that files stay short.
func checkAssemblyFiles(r *Repo) (found []string) {
	goFiles := byDir(r.goFiles(false))
	for dir, files := range r.assembly() {
		arches := make(map[string]bool)
		for _, f := range files {
			if len(f.Lines) > maxAssemblyLines && !f.Generated {
				found = append(found, f.at(1, "%d lines, want at most %d", len(f.Lines), maxAssemblyLines))
			}
			if !strings.HasSuffix(f.Path, ".s") {
				continue
			}
			if f.arch == "" {
				found = append(found, f.at(1, "the file's name does not end in _amd64.s or _arm64.s"))
				continue
			}
			arches[f.arch] = true
			if builds(f.File, f.arch, true) || !builds(f.File, f.arch, false) {
				found = append(found, f.at(1, "has no go:build line that removes it under purego and only there"))
			}
		}
		if len(arches) > 0 {
			found = append(found, standIns(goFiles[dir], arches)...)
		}
	}
	return found
}

// standIns finds what is wrong with the _noasm.go files of a package that has assembly.
func standIns(files []*File, arches map[string]bool) (found []string) {
	any := false
	for _, f := range files {
		if !strings.HasSuffix(f.Path, "_noasm.go") {
			continue
		}
		any = true
		for arch := range arches {
			if !builds(f, arch, true) {
				found = append(found, f.at(1, "is not built for %s under purego", arch))
			}
		}
		if !builds(f, "s390x", false) {
			found = append(found, f.at(1, "is not built for architectures without assembly"))
		}
	}
	if !any && len(files) > 0 {
		found = append(found, files[0].at(1, "the package has assembly and no _noasm.go"))
	}
	return found
}

// checkRegistration demands that every instruction set of a package's assembly is registered with
// the flag of that set, and that the package's tests run every registered kernel through
// kerneltest.All.
func checkRegistration(r *Repo) (found []string) {
	regs := r.registrations(&found)
	tested := r.testedKernels()
	for _, reg := range regs {
		if !tested[reg.dir][reg.kernel] {
			found = append(found, r.at(reg.call, "no kerneltest.All in the package's tests names %s", reg.kernel))
		}
	}
	for dir, files := range r.assembly() {
		for _, f := range files {
			for _, t := range f.texts {
				m := isaName.FindStringSubmatch(t.name)
				if t.local {
					continue
				}
				if m == nil {
					found = append(found, f.at(t.line, "%s does not end in an instruction set: AVX2, AVXVNNI, AVX512, AVX512VNNI, AVX512BF16, NEON or NEONDOT", t.name))
					continue
				}
				if !slices.ContainsFunc(regs, func(reg registration) bool {
					return reg.dir == dir && reg.isa == m[1] && reg.arch == f.arch
				}) {
					found = append(found, f.at(t.line, "%s: the package registers no %s kernel", t.name, m[1]))
				}
			}
		}
	}
	return found
}

// registration is a call of kernels.Register.
type registration struct {
	dir, arch, kernel, isa string
	call                   ast.Node
}

// registrations collects the calls of kernels.Register in init functions and reports those whose
// arguments are not what they should be.
func (r *Repo) registrations(found *[]string) (list []registration) {
	for _, f := range r.goFiles(false) {
		names := importNames(f.AST)
		for _, d := range f.AST.Decls {
			ast.Inspect(d, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || !calls(call, names, r.Module+"/kernels", "Register") || len(call.Args) != 3 {
					return true
				}
				if fn, ok := d.(*ast.FuncDecl); !ok || fn.Name.Name != "init" {
					*found = append(*found, r.at(call, "kernels.Register outside init"))
				}
				kernel, ok1 := literal(call.Args[0])
				isa, ok2 := literal(call.Args[1])
				flag, ok3 := call.Args[2].(*ast.UnaryExpr)
				if !ok1 || !ok2 || !ok3 || flag.Op != token.AND {
					*found = append(*found, r.at(call, "want kernels.Register(\"family.Kernel\", \"ISA\", &flag)"))
					return true
				}
				if !strings.HasSuffix(identName(flag.X), isa) {
					*found = append(*found, r.at(call, "the flag %s is not named for %s", identName(flag.X), isa))
				}
				list = append(list, registration{f.Dir, archOf(f.Path), kernel, isa, call})
				return true
			})
		}
	}
	return list
}

// testedKernels returns, by package, the kernels its tests pass to kerneltest.All. Where the name
// is not a literal in the call, every string literal of the test file counts.
func (r *Repo) testedKernels() map[string]map[string]bool {
	tested := make(map[string]map[string]bool)
	for _, f := range r.goFiles(true) {
		if !f.Test {
			continue
		}
		if tested[f.Dir] == nil {
			tested[f.Dir] = make(map[string]bool)
		}
		names := importNames(f.AST)
		computed := false
		var literals []string
		ast.Inspect(f.AST, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if calls(n, names, r.Module+"/internal/kerneltest", "All") && len(n.Args) > 1 {
					if kernel, ok := literal(n.Args[1]); ok {
						tested[f.Dir][kernel] = true
					} else {
						computed = true
					}
				}
			case *ast.BasicLit:
				if s, ok := literal(n); ok {
					literals = append(literals, s)
				}
			}
			return true
		})
		for _, s := range literals {
			if computed {
				tested[f.Dir][s] = true
			}
		}
	}
	return tested
}

// calls reports whether a call is of a package's function.
func calls(c *ast.CallExpr, names map[string]string, path, name string) bool {
	s, ok := c.Fun.(*ast.SelectorExpr)
	return ok && s.Sel.Name == name && names[identName(s.X)] == path
}
