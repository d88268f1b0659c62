package lint

import (
	"go/build/constraint"
	"path"
	"regexp"
	"slices"
	"strings"
)

// asmFile is an assembly file or header, taken apart.
type asmFile struct {
	*File
	arch  string // by the file's name: "amd64", "arm64", "" for a header without one
	texts []*text
	macro map[string][]instruction // bodies of #define lines
}

// text is one assembly function.
type text struct {
	name    string // symbol without the dot
	line    int
	lines   int      // from TEXT to the last instruction
	comment []string // the comment lines directly above
	local   bool     // a <> symbol, called by assembly only
	body    []instruction
}

// instruction is one instruction, label or line of a macro.
type instruction struct {
	line    int
	code    string // without comment
	comment string
}

var (
	textLine   = regexp.MustCompile(`^TEXT\s+·(\w+)(<>)?\(SB\)`)
	defineLine = regexp.MustCompile(`^#define\s+(\w+)(?:\([^)]*\))?\s*(.*)$`)
	labelLine  = regexp.MustCompile(`^\w+:$`)
	dataLine   = regexp.MustCompile(`^(DATA|GLOBL|#)`)
	wideName   = regexp.MustCompile(`\b[YZ][0-9]+\b`)
	word       = regexp.MustCompile(`\w+`)
)

// assembly returns the assembly files and headers by directory.
func (r *Repo) assembly() map[string][]*asmFile {
	dirs := make(map[string][]*asmFile)
	for _, f := range r.Files {
		if f.AST == nil {
			dirs[f.Dir] = append(dirs[f.Dir], parseAssembly(f))
		}
	}
	return dirs
}

// parseAssembly splits a file into functions and macros.
func parseAssembly(f *File) *asmFile {
	a := &asmFile{File: f, macro: make(map[string][]instruction), arch: archOf(f.Path)}
	var comment []string
	var now *text
	macro := "" // the macro whose definition goes on
	for i, line := range f.Lines {
		code, note, _ := strings.Cut(line, "//")
		code = strings.TrimSpace(code)
		more := strings.HasSuffix(code, `\`)
		in := instruction{i + 1, strings.TrimSpace(strings.TrimSuffix(code, `\`)), note}
		switch m := textLine.FindStringSubmatch(code); {
		case m != nil:
			now = &text{name: m[1], local: m[2] != "", line: i + 1, lines: 1, comment: comment}
			a.texts = append(a.texts, now)
		case macro != "":
			a.macro[macro] = append(a.macro[macro], in)
		case strings.HasPrefix(code, "#define"):
			if d := defineLine.FindStringSubmatch(in.code); d != nil {
				macro = d[1]
				in.code = d[2]
				a.macro[macro] = append(a.macro[macro], in)
			}
		case now != nil && code != "" && !dataLine.MatchString(code):
			now.lines = i + 2 - now.line
			now.body = append(now.body, in.split()...)
		}
		if !more {
			macro = ""
		}
		comment = append(comment, note)
		if code != "" || note == "" {
			comment = nil
		}
	}
	return a
}

// split separates the instructions of a line.
func (in instruction) split() (list []instruction) {
	for part := range strings.SplitSeq(in.code, ";") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, instruction{in.line, part, in.comment})
		}
	}
	return list
}

// mnemonic is an instruction's first word, "" for a label.
func (in instruction) mnemonic() string {
	if labelLine.MatchString(in.code) {
		return ""
	}
	return word.FindString(in.code)
}

// leaves reports whether an instruction leaves the function: a return or a jump to another one.
func (in instruction) leaves() bool {
	return in.mnemonic() == "RET" || in.mnemonic() == "JMP" && strings.Contains(in.code, "(SB)")
}

// archOf returns the architecture in a file's name.
func archOf(p string) string {
	base := strings.TrimSuffix(path.Base(p), path.Ext(p))
	arch := base[strings.LastIndexByte(base, '_')+1:]
	if arch == "amd64" || arch == "arm64" {
		return arch
	}
	return ""
}

// wideMacros returns the macros of a directory that use a Y or Z register by themselves.
func wideMacros(files []*asmFile) map[string]bool {
	wide := make(map[string]bool)
	for again := true; again; {
		again = false
		for _, f := range files {
			for name, body := range f.macro {
				if !wide[name] && slices.ContainsFunc(body, func(in instruction) bool { return in.wide(wide) }) {
					wide[name], again = true, true
				}
			}
		}
	}
	return wide
}

func (in instruction) wide(macros map[string]bool) bool {
	return wideName.MatchString(in.code) ||
		slices.ContainsFunc(word.FindAllString(in.code, -1), func(w string) bool { return macros[w] })
}

// constraintOf returns the go:build line of a file, nil if there is none.
func constraintOf(f *File) constraint.Expr {
	for _, line := range f.Lines {
		if constraint.IsGoBuild(line) {
			if x, err := constraint.Parse(line); err == nil {
				return x
			}
		}
		if strings.HasPrefix(line, "package ") || textLine.MatchString(line) {
			break
		}
	}
	return nil
}

// builds reports whether a file is part of the build on an architecture, with or without the
// purego tag; of the other tags, such as operating systems, all are taken as set.
func builds(f *File, arch string, purego bool) bool {
	if own := archOf(f.Path); own != "" && own != arch {
		return false
	}
	x := constraintOf(f)
	return x == nil || x.Eval(func(tag string) bool {
		switch tag {
		case "purego":
			return purego
		case "amd64", "arm64", "riscv64", "s390x", "wasm", "ppc64le", "loong64", "386", "arm":
			return tag == arch
		}
		return true
	})
}
