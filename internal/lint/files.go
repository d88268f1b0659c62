package lint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"go/ast"
	"io"
	"io/fs"
	"path"
	"strings"
)

const (
	maxFileBytes   = 1 << 20
	maxModuleBytes = 30 << 20 // what a download of the module holds
)

// goldenDir holds a directory of reference values per architecture.
const goldenDir = "models/testdata/golden"

// largeIn lists the trees that may hold files above maxFileBytes: demo's models, and testdata.
func largeIn(p string) bool {
	return within(p, "demo") || strings.HasPrefix(p, "testdata/") || strings.Contains(p, "/testdata/")
}

// checkGoldens demands a golden directory for every key of the registry of architectures. A
// downloaded module has neither the directories, which are in a module of their own, nor .git.
func checkGoldens(r *Repo) (found []string) {
	_, noGoldens := fs.Stat(r.fsys, goldenDir)
	if _, noGit := fs.Stat(r.fsys, ".git"); noGoldens != nil && noGit != nil {
		return nil
	}
	keys := r.registryKeys()
	if len(r.dirFiles("models")) > 0 && len(keys) == 0 {
		found = append(found, "models:1: no map literal named architectures with literal keys")
	}
	have := make(map[string]bool)
	fs.WalkDir(r.fsys, goldenDir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "config.json" {
			return nil
		}
		var c struct {
			ModelType string `json:"model_type"`
		}
		src, err := fs.ReadFile(r.fsys, p)
		if err == nil {
			// Python writes infinity as a bare word.
			err = json.Unmarshal(bytes.ReplaceAll(src, []byte("Infinity"), []byte("0")), &c)
		}
		if err != nil {
			found = append(found, fmt.Sprintf("%s:1: %v", p, err))
			return nil
		}
		for _, name := range []string{"verify.json", "want.safetensors"} {
			if _, err := fs.Stat(r.fsys, path.Join(path.Dir(p), name)); err != nil {
				found = append(found, fmt.Sprintf("%s:1: no %s beside it", p, name))
				return nil
			}
		}
		have[c.ModelType] = true
		return nil
	})
	for key, at := range keys {
		if !have[key] {
			found = append(found, r.at(at, "no directory of %s holds a config.json with model_type %q", goldenDir, key))
		}
	}
	return found
}

func (r *Repo) dirFiles(dir string) []*File { return byDir(r.goFiles(false))[dir] }

// registryKeys returns the keys of the map literal architectures of package models.
func (r *Repo) registryKeys() map[string]ast.Node {
	keys := make(map[string]ast.Node)
	for _, f := range r.dirFiles("models") {
		ast.Inspect(f.AST, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || len(v.Values) != 1 || v.Names[0].Name != "architectures" {
				return true
			}
			if m, ok := v.Values[0].(*ast.CompositeLit); ok {
				for _, e := range m.Elts {
					if kv, ok := e.(*ast.KeyValueExpr); ok {
						if key, ok := literal(kv.Key); ok {
							keys[key] = kv
						}
					}
				}
			}
			return true
		})
	}
	return keys
}

// checkTracked judges the files in version control: none that .gitignore names, no programs, none
// that is large outside demo and testdata, and not more in all than a module may weigh. Without an
// index, as in a downloaded module, it judges every file that .gitignore does not name.
func checkTracked(r *Repo) (found []string) {
	ignored, err := r.ignored()
	if err != nil {
		return []string{".gitignore:1: " + err.Error()}
	}
	tracked, err := r.tracked()
	if err != nil {
		return []string{".git/index:1: " + err.Error()}
	}
	if tracked == nil {
		fs.WalkDir(r.fsys, ".", func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && d.Name() == ".git" {
				return fs.SkipDir
			}
			if err == nil && d.Type().IsRegular() && !ignored(p) {
				tracked = append(tracked, p)
			}
			return nil
		})
	}
	var total int64
	for _, p := range tracked {
		size, why := r.weigh(p, ignored)
		if why != "" {
			found = append(found, p+":1: "+why)
		}
		if !r.nested(p) {
			total += size
		}
	}
	if total > maxModuleBytes {
		found = append(found, fmt.Sprintf("go.mod:1: the module weighs %d bytes, want at most %d", total, maxModuleBytes))
	}
	return found
}

// weigh returns a file's size and what is wrong with its being in version control.
func (r *Repo) weigh(p string, ignored func(string) bool) (size int64, why string) {
	f, err := r.fsys.Open(p)
	if err != nil {
		return 0, "" // deleted, and not committed yet
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0, ""
	}
	var magic [4]byte
	io.ReadFull(f, magic[:])
	switch {
	case ignored(p):
		why = ".gitignore names it"
	case program(magic):
		why = "is a compiled program"
	case info.Size() > maxFileBytes && !largeIn(p):
		why = fmt.Sprintf("%d bytes, want at most %d outside demo and testdata", info.Size(), maxFileBytes)
	}
	return info.Size(), why
}

// program recognises ELF, PE, Mach-O, archives and WebAssembly by their first bytes.
func program(magic [4]byte) bool {
	switch binary.BigEndian.Uint32(magic[:]) {
	case 0x7f454c46, 0xcffaedfe, 0xcefaedfe, 0xcafebabe, 0x213c6172, 0x0061736d:
		return true
	}
	return magic[0] == 'M' && magic[1] == 'Z'
}

// nested reports whether a file belongs to a module below this one.
func (r *Repo) nested(p string) bool {
	for dir := dirOf(p); dir != ""; dir = dirOf(dir) {
		if _, err := fs.Stat(r.fsys, dir+"/go.mod"); err == nil {
			return true
		}
	}
	return false
}

// ignored compiles .gitignore: names with wildcards, matched at every depth or, after a slash,
// at the root. It refuses other patterns.
func (r *Repo) ignored() (func(p string) bool, error) {
	src, err := fs.ReadFile(r.fsys, ".gitignore")
	if err != nil {
		return func(string) bool { return false }, nil
	}
	var rooted, anywhere []string
	for line := range strings.Lines(string(src)) {
		line = strings.TrimSpace(line)
		name, atRoot := strings.CutPrefix(line, "/")
		switch {
		case line == "" || line[0] == '#':
		case strings.ContainsAny(name, "/!"):
			return nil, fmt.Errorf("pattern %q: want a name with wildcards, with a leading slash at most", line)
		case atRoot:
			rooted = append(rooted, name)
		default:
			anywhere = append(anywhere, name)
		}
	}
	match := func(patterns []string, name string) bool {
		for _, pattern := range patterns {
			if ok, _ := path.Match(pattern, name); ok {
				return true
			}
		}
		return false
	}
	return func(p string) bool {
		first, _, _ := strings.Cut(p, "/")
		if match(rooted, first) {
			return true
		}
		for name := range strings.SplitSeq(p, "/") {
			if match(anywhere, name) {
				return true
			}
		}
		return false
	}, nil
}

// tracked returns the paths in git's index, nil if there is none to read.
//
// Source: gitformat-index(5), versions 2 to 4 with SHA-1.
func (r *Repo) tracked() (paths []string, err error) {
	b, err := fs.ReadFile(r.fsys, ".git/index")
	if err != nil {
		return nil, nil
	}
	const fixed = 62 // bytes of an entry before its path
	if len(b) < 12 || string(b[:4]) != "DIRC" {
		return nil, fmt.Errorf("not an index")
	}
	version, n := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	name := ""
	for b = b[12:]; n > 0; n-- {
		if len(b) < fixed+1 {
			return nil, fmt.Errorf("index ends after %d paths", len(paths))
		}
		head := fixed
		if b[60]&0x40 != 0 {
			head += 2
		}
		keep := 0
		if version == 4 {
			strip, bytes := offset(b[head:])
			head, keep = head+bytes, len(name)-strip
		}
		rest, _, ok := strings.Cut(string(b[head:min(len(b), head+4096)]), "\x00")
		if !ok || keep < 0 || keep > len(name) {
			return nil, fmt.Errorf("index: path %d is damaged", len(paths))
		}
		name = name[:keep] + rest
		paths = append(paths, name)
		size := head + len(rest) + 1
		if version < 4 {
			size = (size + 7) &^ 7
		}
		b = b[min(size, len(b)):]
	}
	return paths, nil
}

// offset decodes the variable-length number of a version 4 entry and the bytes it takes.
func offset(b []byte) (value, bytes int) {
	for i, c := range b[:min(len(b), 5)] {
		if i > 0 {
			value++
		}
		value = value<<7 | int(c&0x7f)
		if c < 0x80 {
			return value, i + 1
		}
	}
	return value, len(b)
}
