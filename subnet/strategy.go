package subnet

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// Strategy says what the subnets of a model are. The zero value has none but the whole.
type Strategy struct {
	Depths map[int]Depth // by the number of layers removed, 1 and up
	Widths []float64     // of the masks, descending; nil without masks
	Layers []Masks       // one for each layer of the model; nil without masks
	// Group is how many heads share keys, and are kept or dropped together; 0 or 1 where each has its own.
	Group int
}

// Depth is a choice of layers.
type Depth struct {
	Kept   []bool  // for each layer of the model; layers beyond its end are kept
	Metric float64 // by which they were chosen, NaN if it is not known
}

// Masks are the masks of one layer, for each of the strategy's widths. They are over output channels:
// of the queries, of whole heads, which keys and values share; and of the gate, which the up
// projection shares.
type Masks struct {
	Attention, MLP [][]bool    // [widths][channels]
	Out, Down      [][]float32 // [widths][D], what is added to the outputs of the two; nil for nothing
}

// maxStrategy bounds the bytes of a strategy file.
const maxStrategy = 1 << 30

// Files of a strategy in a directory, in the order in which the first that is there is taken, and
// those that then may add masks and biases.
var (
	wholeFiles = []string{"strategy.json", "dp_selection_strategy.npy"}
	partFiles  = []string{"final_strategy.npy", "width_mask.npy", "width_bias.npy"}
)

// OpenStrategy reads a strategy: a .npy file of the reference's (dp_selection_strategy, final_strategy,
// full_strategy, width_mask), the JSON form of [Strategy.JSON], or a directory that holds one of
// them, or final_strategy.npy, width_mask.npy and width_bias.npy as far as they are there.
func OpenStrategy(path string) (*Strategy, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("subnet: strategy: %w", err)
	}
	if !info.IsDir() {
		return readFiles(path)
	}
	for _, name := range wholeFiles {
		if file := filepath.Join(path, name); exists(file) {
			return readFiles(file)
		}
	}
	var files []string
	for _, name := range partFiles {
		if file := filepath.Join(path, name); exists(file) {
			files = append(files, file)
		}
	}
	if files == nil {
		return nil, fmt.Errorf("subnet: %s: found no strategy, expected one of %v or %v", path, wholeFiles, partFiles)
	}
	return readFiles(files...)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// readFiles reads files that are one strategy together.
func readFiles(paths ...string) (*Strategy, error) {
	var parts parts
	for _, path := range paths {
		info, err := os.Stat(path)
		if err == nil && (info.Size() > maxStrategy || !info.Mode().IsRegular()) {
			err = fmt.Errorf("found %v of %d bytes, expected a file of at most %d", info.Mode(), info.Size(), maxStrategy)
		}
		var data []byte
		if err == nil {
			data, err = os.ReadFile(path)
		}
		if err == nil {
			err = parts.add(data)
		}
		if err != nil {
			return nil, fmt.Errorf("subnet: %s: %w", path, err)
		}
	}
	s, err := parts.strategy()
	if err != nil {
		return nil, fmt.Errorf("subnet: %s: %w", paths[0], err)
	}
	return s, nil
}

// ReadStrategy reads a strategy from the contents of one file: see [OpenStrategy].
func ReadStrategy(data []byte) (*Strategy, error) {
	var parts parts
	err := parts.add(data)
	if err == nil {
		var s *Strategy
		if s, err = parts.strategy(); err == nil {
			return s, nil
		}
	}
	return nil, fmt.Errorf("subnet: strategy: %w", err)
}

// parts is what files say, before layers and widths are put in order.
type parts struct {
	read        *Strategy // of our own form
	depths      map[int]Depth
	mask, bias  map[place]map[float64][]float64
	group       int // of Strategy.Group, 1 for heads with keys of their own; 0 before the first mask
	otherLayers int // the most layers that something was about
}

// place is a projection of a layer.
type place struct {
	layer int
	name  string // self_attn.q_proj and so on
}

// add takes in the contents of a file.
func (p *parts) add(data []byte) error {
	if looksJSON(data) {
		s, err := readJSON(data)
		p.read = s
		return err
	}
	a, err := readNPY(data)
	if err != nil {
		return err
	}
	if a.dtype.kind != 'O' {
		return fmt.Errorf("found an array of numbers %v, expected a strategy; metric.npy is only a table of figures", a.shape)
	}
	if len(a.shape) == 2 {
		return p.addTable(a)
	}
	if len(a.objects) != 1 {
		return fmt.Errorf("found an array %v of objects, expected a dictionary or a table", a.shape)
	}
	top, err := dictionary(a.objects[0])
	if err != nil {
		return err
	}
	return p.addDictionary(top)
}

// dictionary returns the entries of a dictionary whose keys are texts.
func dictionary(v any) (map[string]any, error) {
	d, ok := v.(*dict)
	if !ok {
		return nil, fmt.Errorf("found %T, expected a dictionary", v)
	}
	entries := map[string]any{}
	for i, k := range d.keys {
		key, ok := text(k)
		if !ok {
			return nil, fmt.Errorf("found a key of %T, expected a text", k)
		}
		if _, twice := entries[key]; twice {
			return nil, fmt.Errorf("%.80q: found twice", key)
		}
		entries[key] = d.values[i]
	}
	return entries, nil
}

// addDictionary takes in a whole strategy, or masks or biases alone.
func (p *parts) addDictionary(top map[string]any) error {
	if _, ok := top["strategy"]; !ok {
		return p.addAlone(top)
	}
	for _, key := range slices.Sorted(maps.Keys(top)) {
		var err error
		switch v := top[key]; key {
		case "strategy":
			err = p.addDepths(v, top["metric"])
		case "metric":
		case "width_mask":
			p.mask, err = p.projections(v)
		case "bias":
			p.bias, err = p.projections(v)
		default:
			err = errors.New("found an unknown part, expected strategy, metric, width_mask and bias")
		}
		if err != nil {
			return fmt.Errorf("%.40q: %w", key, err)
		}
	}
	return nil
}

// addAlone takes in masks or biases, told apart by where they are.
func (p *parts) addAlone(top map[string]any) error {
	found, err := p.projectionsOf(top)
	if err != nil {
		return err
	}
	for at := range found {
		if isMask(at.name) {
			p.mask = found
		} else {
			p.bias = found
		}
		return nil
	}
	return errors.New("found neither depths nor masks nor biases")
}

// isMask reports whether the projection of a name carries masks; the others carry biases.
func isMask(name string) bool { return name != "self_attn.o_proj" && name != "mlp.down_proj" }

// addDepths takes in the layers kept for each number of layers removed.
func (p *parts) addDepths(strategy, metric any) error {
	kept, err := numbered(strategy)
	if err != nil {
		return err
	}
	metrics := map[float64]any{}
	if metric != nil {
		if metrics, err = numbered(metric); err != nil {
			return fmt.Errorf("metric: %w", err)
		}
	}
	p.depths = map[int]Depth{}
	for m, v := range kept {
		if m != float64(int(m)) || m < 0 {
			return fmt.Errorf("found %v layers removed, expected a whole number", m)
		}
		d := Depth{Metric: number(metrics[m])}
		if d.Kept, err = bools(v); err != nil {
			return fmt.Errorf("%v: %w", m, err)
		}
		if removed := count(d.Kept, false); removed != int(m) {
			return fmt.Errorf("%v: found %d layers removed", m, removed)
		}
		if m > 0 {
			p.depths[int(m)] = d
		}
	}
	return nil
}

// addTable takes in full_strategy: row n considers n layers, column m removes m of them.
func (p *parts) addTable(a *array) error {
	rows, cols := a.shape[0], a.shape[1]
	p.depths = map[int]Depth{}
	for m := 1; m < cols && rows > 0; m++ {
		cell, ok := a.objects[(rows-1)*cols+m].(*array)
		if !ok {
			continue // 0 where the table was not filled
		}
		kept, err := bools(cell)
		if err != nil || count(kept, false) != m {
			return errors.Join(fmt.Errorf("row %d, column %d: expected a strategy that removes %d layers", rows-1, m, m), err)
		}
		p.depths[m] = Depth{kept, number(nil)}
	}
	if len(p.depths) == 0 {
		return fmt.Errorf("table %v: found no strategy in its last row", a.shape)
	}
	return nil
}

// projectionName finds layer and projection in a name, whatever it begins with.
var projectionName = regexp.MustCompile(`(?:^|\.)layers\.(\d{1,6})\.((?:self_attn|mlp)\.\w+)$`)

// projections reads {name: {ratio: numbers} or None}.
func (p *parts) projections(v any) (map[place]map[float64][]float64, error) {
	names, err := dictionary(v)
	if err != nil {
		return nil, err
	}
	return p.projectionsOf(names)
}

func (p *parts) projectionsOf(names map[string]any) (map[place]map[float64][]float64, error) {
	found := map[place]map[float64][]float64{}
	for name, v := range names {
		m := projectionName.FindStringSubmatch(name)
		if m == nil {
			return nil, fmt.Errorf("%.80q: expected the name of a projection, ...layers.N.self_attn.q_proj", name)
		}
		if v == nil {
			continue
		}
		ratios, err := numbered(v)
		if err != nil {
			return nil, fmt.Errorf("%.80q: %w", name, err)
		}
		layer, _ := strconv.Atoi(m[1])
		at := place{layer, m[2]}
		found[at] = map[float64][]float64{}
		for w, v := range ratios {
			a, ok := v.(*array)
			if !ok || len(a.shape) != 1 {
				return nil, fmt.Errorf("%.80q: ratio %v: found %T, expected a vector", name, w, v)
			}
			if found[at][w], err = a.numbers(); err != nil {
				return nil, fmt.Errorf("%.80q: ratio %v: %w", name, w, err)
			}
		}
		p.otherLayers = max(p.otherLayers, layer+1)
	}
	return found, nil
}

// numbered returns the entries of a dictionary whose keys are numbers, compared as such.
func numbered(v any) (map[float64]any, error) {
	d, ok := v.(*dict)
	if !ok {
		return nil, fmt.Errorf("found %T, expected a dictionary", v)
	}
	entries := map[float64]any{}
	for i, k := range d.keys {
		key := number(k)
		if key != key {
			return nil, fmt.Errorf("found a key of %T, expected a number", k)
		}
		if _, twice := entries[key]; twice {
			return nil, fmt.Errorf("%v: found twice", key)
		}
		entries[key] = d.values[i]
	}
	return entries, nil
}
