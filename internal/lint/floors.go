package lint

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// room is what a package and the packages below its path may import beside the standard library
// and one another.
type room struct {
	floor  int
	sees   []string // rooms of this module on lower floors; "*" for all of them
	third  []string // import paths of other modules, by prefix
	helper bool     // the tests of every room may import it
}

// rooms is the house, by path: imports look down only, and the third column is the whole list of
// dependencies. A package without a room of its own belongs to the nearest one above it, except
// at the root and in internal, where each needs its row.
var rooms = map[string]room{
	"kernels":   {floor: 0, third: []string{"golang.org/x/sys/cpu", "github.com/klauspost/cpuid/v2", "github.com/x448/float16"}},
	"tokenizer": {floor: 0, third: []string{"golang.org/x/text", "github.com/dlclark/regexp2", "google.golang.org/protobuf"}},
	"vision":    {floor: 0, third: []string{"golang.org/x/image"}},
	"constrain": {floor: 0},

	"tensor":       {floor: 1, sees: []string{"kernels"}, third: []string{"github.com/x448/float16"}},
	"tensor/dense": {floor: 2, sees: []string{"tensor", "kernels"}, third: []string{"gorgonia.org/tensor", "go4.org/unsafe/assume-no-moving-gc"}},
	"loader":       {floor: 2, sees: []string{"tensor"}},
	"nn":           {floor: 3, sees: []string{"tensor", "kernels"}},
	"models":       {floor: 4, sees: []string{"nn", "tensor"}},
	"diffusion":    {floor: 4, sees: []string{"nn", "tensor"}},

	"":                   {floor: 6, sees: []string{"constrain", "models", "subnet", "loader", "tokenizer", "vision", "tensor", "kernels"}},
	"diffusion/pipeline": {floor: 5, sees: []string{"diffusion", "loader", "tokenizer", "vision", "tensor"}},
	"subnet":             {floor: 5, sees: []string{"models", "loader", "tensor", "kernels"}, third: []string{"github.com/x448/float16"}},
	"server":             {floor: 7, sees: []string{"", "constrain", "diffusion", "diffusion/pipeline", "tokenizer"}, third: []string{"github.com/prometheus/client_golang"}},
	"cluster":            {floor: 7, sees: []string{"", "diffusion", "diffusion/pipeline", "tokenizer"}, third: []string{"github.com/nats-io/nats.go", "github.com/nats-io/nats-server/v2"}},

	"cmd":   {floor: 8, sees: []string{"*"}, third: []string{"github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/klauspost/cpuid/v2", "golang.org/x/sys", "golang.org/x/image"}},
	"bench": {floor: 8, sees: []string{"*"}},

	"demo":                {floor: 0, helper: true},
	"internal/chart":      {floor: 0},
	"internal/cputime":    {floor: 0, helper: true},
	"internal/golden":     {floor: 6, sees: []string{"*"}, helper: true},
	"internal/synth":      {floor: 6, sees: []string{"*"}, helper: true},
	"internal/kerneltest": {floor: 8, sees: []string{"kernels"}, helper: true},
	"internal/lint":       {floor: 8},
}

// testThird are the other modules that any test may import.
var testThird = []string{"gonum.org/v1/gonum", "github.com/openai/openai-go", "github.com/x448/float16", "github.com/santhosh-tekuri/jsonschema/v6"}

// maxRootDependencies bounds what an embedder of the root package downloads.
const maxRootDependencies = 6

// roomOf returns the key of a package's room.
func roomOf(dir string) (key string, ok bool) {
	for key = dir; key != "."; key = dirOf(key) {
		if _, ok := rooms[key]; ok && (key != "" || dir == "") {
			return key, true
		}
		if key == "" {
			break
		}
	}
	return "", false
}

func roomName(key string) string {
	if key == "" {
		key = "the root"
	}
	return key
}

// lookingUp returns the rows of a table of rooms that see a room on their own or a higher floor,
// or one that does not exist.
func lookingUp(rooms map[string]room) (found []string) {
	for _, key := range slices.Sorted(maps.Keys(rooms)) {
		for _, seen := range rooms[key].sees {
			if to, ok := rooms[seen]; seen != "*" && !(ok && to.floor < rooms[key].floor) {
				found = append(found, fmt.Sprintf("rooms: %s on floor %d sees %s", roomName(key), rooms[key].floor, roomName(seen)))
			}
		}
	}
	return found
}

// checkFloors holds every import against the table of rooms.
func checkFloors(r *Repo) (found []string) {
	for dir, files := range byDir(r.goFiles(true)) {
		key, ok := roomOf(dir)
		if !ok {
			found = append(found, fmt.Sprintf("%s:1: package has no room: give it a row in internal/lint/floors.go", files[0].Path))
			continue
		}
		for _, f := range files {
			for _, spec := range f.AST.Imports {
				if why := r.forbidden(key, f.Test, importPath(spec.Path.Value)); why != "" {
					found = append(found, r.at(spec, "%s", why))
				}
			}
		}
	}
	return found
}

// forbidden says why a room must not import path, "" if it may.
func (r *Repo) forbidden(key string, test bool, path string) string {
	from := rooms[key]
	dir, own := r.inModule(path)
	switch {
	case path == "C":
		return "cgo"
	case standard(path):
		return ""
	case !own:
		if withinAny(path, from.third) || test && withinAny(path, testThird) {
			return ""
		}
		return fmt.Sprintf("%s imports %s, which is not among its dependencies %v", roomName(key), path, from.third)
	}
	target, ok := roomOf(dir)
	to := rooms[target]
	switch {
	case ok && target == key,
		ok && test && (to.helper || to.floor < from.floor),
		ok && slices.Contains(from.sees, target),
		ok && slices.Contains(from.sees, "*") && to.floor < from.floor:
		return ""
	}
	return fmt.Sprintf("%s (floor %d) imports %s (floor %d): it sees only %q", roomName(key), from.floor, roomName(dir), to.floor, from.sees)
}

// inModule returns the directory of a package of this module.
func (r *Repo) inModule(path string) (dir string, ok bool) {
	if !within(path, r.Module) {
		return "", false
	}
	return strings.TrimPrefix(path[len(r.Module):], "/"), true
}

// standard reports whether an import path is of the standard library: its first element has no dot.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func importPath(literal string) string {
	p, _ := strconv.Unquote(literal)
	return p
}

// checkRootDependencies counts the modules that importing the root package brings along.
func checkRootDependencies(r *Repo) (found []string) {
	modules := r.rootDependencies()
	for m, by := range modules {
		if !slices.Contains(r.requires, m) {
			found = append(found, fmt.Sprintf("%s:1: %s is not in go.mod", by, m))
		}
	}
	if len(modules) > maxRootDependencies {
		found = append(found, fmt.Sprintf("go.mod:1: the root package depends on %d modules, want at most %d: %v",
			len(modules), maxRootDependencies, slices.Sorted(maps.Keys(modules))))
	}
	return found
}

// rootDependencies returns the modules that the root package imports directly or through packages
// of this module, each with a file that does; an import of no required module stands for itself.
func (r *Repo) rootDependencies() map[string]string {
	files := byDir(r.goFiles(false))
	modules := make(map[string]string)
	seen := map[string]bool{"": true}
	for todo := []string{""}; len(todo) > 0; {
		dir := todo[0]
		todo = todo[1:]
		for _, f := range files[dir] {
			for _, spec := range f.AST.Imports {
				path := importPath(spec.Path.Value)
				if d, own := r.inModule(path); own && !seen[d] {
					seen[d] = true
					todo = append(todo, d)
				} else if !own && !standard(path) {
					modules[r.moduleOf(path)] = f.Path
				}
			}
		}
	}
	return modules
}

// moduleOf returns the required module that holds a package, the path itself if there is none.
func (r *Repo) moduleOf(path string) string {
	best := ""
	for _, m := range r.requires {
		if within(path, m) && len(m) > len(best) {
			best = m
		}
	}
	if best == "" {
		return path
	}
	return best
}
