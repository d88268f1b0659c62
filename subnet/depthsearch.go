package subnet

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// DepthSearch chooses which layers to remove, by a dynamic programme over how many layers from the end
// are considered and how many of those are removed: a choice of m among the last n is that of m-1 among
// the last n-1 and the n-th, or that of m among the last n-1 if it measures no worse. It is a heuristic:
// the choices for different numbers are not nested, and what is measured need not fall with the depth.
//
// Source: arXiv:2411.10606, section 3.2; main.py:1065 in GATECH-EIC/AmoebaLLM@abb8f7e. Unlike there,
// metrics that count answers are equal within 1e-9: the last bit of an average depends on the order of
// its sum.
type DepthSearch struct {
	Layers    int  // L of the model
	KeepLast  int  // layers at the end that are never removed
	MinLayers int  // the fewest that remain
	Higher    bool // larger metrics are better: they are shares of answers

	// Known holds what was measured: the candidate of each cell. A search goes on from there.
	Known map[Cell]float64
	// Best and Kept are the table, [N+1][M+1], of the metrics and of the layers kept among the first N;
	// +Inf or -Inf and nil where there is no choice.
	Best [][]float64
	Kept [][][]bool
}

// Cell is a place in the table of a [DepthSearch].
type Cell struct {
	Considered, Removed int // layers: of the last so many, how many go
}

// Judge measures a model without some of its layers.
type Judge interface {
	// Judge measures candidates that keep all layers before from, and of those from there on what
	// each says, [L-from]. It calls done with the metric of each, in any order, and ends with its error.
	Judge(ctx context.Context, from int, candidates [][]bool, done func(i int, metric float64) error) error
}

// check refuses sizes without meaning.
func (d *DepthSearch) check() error {
	if d.Layers < 1 || d.KeepLast < 0 || d.KeepLast >= d.Layers || d.MinLayers < max(1, d.KeepLast) || d.MinLayers >= d.Layers {
		return fmt.Errorf("subnet: depth: found at least %d of %d layers with the last %d kept, expected at least 1 and fewer than there are", d.MinLayers, d.Layers, d.KeepLast)
	}
	return nil
}

// sizes returns N, the layers that may go, and M, how many of them may.
func (d *DepthSearch) sizes() (n, m int) { return d.Layers - d.KeepLast, d.Layers - d.MinLayers }

// Cells returns the number of cells, each the measuring of one subset of layers.
func (d *DepthSearch) Cells() (cells int) {
	n, m := d.sizes()
	for i := 1; i <= n; i++ {
		cells += min(i, m)
	}
	return cells
}

// Run fills the table. After is called when a cell was measured, and may store Known; its error ends
// the search, which another Run continues.
func (d *DepthSearch) Run(ctx context.Context, judge Judge, after func(c Cell) error) error {
	if err := d.check(); err != nil {
		return err
	}
	n, m := d.sizes()
	if d.Known == nil {
		d.Known = map[Cell]float64{}
	}
	d.Best, d.Kept = make([][]float64, n+1), make([][][]bool, n+1)
	for i := range d.Best {
		d.Best[i], d.Kept[i] = make([]float64, m+1), make([][]bool, m+1)
		for j := range d.Best[i] {
			d.Best[i][j] = d.worst()
		}
		all := make([]bool, n)
		for l := range all {
			all[l] = true
		}
		d.Kept[i][0] = all
	}
	for i := 1; i <= n; i++ {
		if err := d.stage(ctx, i, min(i, m), judge, after); err != nil {
			return err
		}
	}
	return nil
}

func (d *DepthSearch) worst() float64 {
	if d.Higher {
		return math.Inf(-1)
	}
	return math.Inf(1)
}

// stage fills row n of the table: up to most of the last n layers go.
func (d *DepthSearch) stage(ctx context.Context, n, most int, judge Judge, after func(c Cell) error) error {
	from := len(d.Kept[0][0]) - n
	candidates := make([][]bool, most+1) // of the first N layers
	var suffixes [][]bool
	var cells []Cell
	for m := 1; m <= most; m++ {
		candidates[m] = slices.Clone(d.Kept[n-1][m-1])
		candidates[m][from] = false
		if _, ok := d.Known[Cell{n, m}]; ok {
			continue
		}
		suffix := slices.Clone(candidates[m][from:])
		for range d.KeepLast {
			suffix = append(suffix, true)
		}
		suffixes, cells = append(suffixes, suffix), append(cells, Cell{n, m})
	}
	if len(cells) > 0 {
		err := judge.Judge(ctx, from, suffixes, func(i int, metric float64) error {
			if math.IsNaN(metric) {
				return fmt.Errorf("subnet: depth: found no number as the metric of %d of %d layers removed", cells[i].Removed, n)
			}
			d.Known[cells[i]] = metric
			return after(cells[i])
		})
		if err != nil {
			return err
		}
	}
	for m := 1; m <= most; m++ {
		if c, before := d.Known[Cell{n, m}], d.Best[n-1][m]; d.Kept[n-1][m] == nil || d.better(c, before) {
			d.Best[n][m], d.Kept[n][m] = c, candidates[m]
		} else {
			d.Best[n][m], d.Kept[n][m] = before, d.Kept[n-1][m]
		}
	}
	return nil
}

// better reports whether a metric is strictly better than one that was found earlier.
func (d *DepthSearch) better(a, b float64) bool {
	if d.Higher {
		return a > b+1e-9
	}
	return a < b
}

// Depths returns the choices, by the number of layers removed.
func (d *DepthSearch) Depths() map[int]Depth {
	n, most := d.sizes()
	depths := map[int]Depth{}
	for m := 1; m <= min(n, most); m++ {
		kept := slices.Clone(d.Kept[n][m])
		for range d.KeepLast {
			kept = append(kept, true)
		}
		depths[m] = Depth{kept, d.Best[n][m]}
	}
	return depths
}
