package subnet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
)

// The JSON form of a strategy.
type (
	jsonStrategy struct {
		Kind   string               `json:"kind"` // strategyKind
		Depths map[string]jsonDepth `json:"depths,omitempty"`
		Widths []float64            `json:"widths,omitempty"`
		Group  int                  `json:"group,omitempty"` // heads that share keys, if more than one
		Layers []jsonMasks          `json:"layers,omitempty"`
	}
	jsonDepth struct {
		Removed []int    `json:"removed"`
		Metric  *float64 `json:"metric,omitempty"`
	}
	jsonMasks struct {
		Channels  int         `json:"channels"`  // of the attention
		Attention [][]int     `json:"attention"` // for each width, where runs of kept channels begin and end
		Neurons   int         `json:"neurons"`
		MLP       [][]int     `json:"mlp"`
		Out       [][]float32 `json:"out,omitempty"`
		Down      [][]float32 `json:"down,omitempty"`
	}
)

const strategyKind = "mminfer strategy 1"

// looksJSON reports whether a file begins as an object.
func looksJSON(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(data[:min(len(data), 64)], " \t\r\n"), []byte("{"))
}

// JSON returns the strategy as JSON that [ReadStrategy] reads: masks as runs of channels.
func (s *Strategy) JSON() ([]byte, error) {
	j := jsonStrategy{Kind: strategyKind, Widths: s.Widths, Group: s.Group, Depths: map[string]jsonDepth{}}
	for m, d := range s.Depths {
		out := jsonDepth{Removed: []int{}}
		for l, kept := range d.Kept {
			if !kept {
				out.Removed = append(out.Removed, l)
			}
		}
		if !math.IsNaN(d.Metric) && !math.IsInf(d.Metric, 0) {
			out.Metric = &d.Metric
		}
		j.Depths[strconv.Itoa(m)] = out
	}
	for _, m := range s.Layers {
		l := jsonMasks{Out: m.Out, Down: m.Down}
		for i := range s.Widths {
			l.Channels, l.Neurons = len(m.Attention[i]), len(m.MLP[i])
			l.Attention, l.MLP = append(l.Attention, runs(m.Attention[i])), append(l.MLP, runs(m.MLP[i]))
		}
		j.Layers = append(j.Layers, l)
	}
	b, err := json.Marshal(j)
	if err != nil {
		return nil, fmt.Errorf("subnet: strategy: %w", err)
	}
	return append(b, '\n'), nil
}

// runs returns where the runs of a mask begin and end.
func runs(mask []bool) []int {
	ends := []int{}
	for i, kept := range mask {
		if kept != (i > 0 && mask[i-1]) {
			ends = append(ends, i)
		}
	}
	if len(ends)%2 == 1 {
		ends = append(ends, len(mask))
	}
	return ends
}

// readJSON reads the JSON form.
func readJSON(data []byte) (*Strategy, error) {
	var j jsonStrategy
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return nil, err
	}
	if j.Kind != strategyKind {
		return nil, fmt.Errorf("kind: found %.40q, expected %q", j.Kind, strategyKind)
	}
	s := &Strategy{Widths: j.Widths, Group: j.Group, Depths: map[int]Depth{}}
	if err := s.readDepths(j.Depths); err != nil {
		return nil, err
	}
	if j.Group < 0 || j.Group > maxLayers {
		return nil, fmt.Errorf("group: found %d, expected a number of heads", j.Group)
	}
	if len(j.Widths) == 0 && len(j.Layers) > 0 || !slices.IsSortedFunc(j.Widths, func(a, b float64) int { return int(math.Copysign(1, b-a)) }) {
		return nil, errors.New("widths: expected ratios in descending order")
	}
	room := maxExpanded
	for l, m := range j.Layers {
		masks, err := m.masks(len(j.Widths), &room)
		if err != nil {
			return nil, fmt.Errorf("layers: %d: %w", l, err)
		}
		s.Layers = append(s.Layers, masks)
	}
	return s, nil
}

// readDepths reads the choices of layers.
func (s *Strategy) readDepths(depths map[string]jsonDepth) error {
	for _, key := range slices.Sorted(maps.Keys(depths)) {
		d := depths[key]
		m, err := strconv.Atoi(key)
		if err != nil || m != len(d.Removed) || m < 1 || !slices.IsSorted(d.Removed) || d.Removed[0] < 0 || d.Removed[m-1] >= maxLayers {
			return fmt.Errorf("depths: %.20q: found %d layers removed, expected as many as the key says, in order", key, len(d.Removed))
		}
		kept := make([]bool, d.Removed[m-1]+1)
		for l := range kept {
			_, removed := slices.BinarySearch(d.Removed, l)
			kept[l] = !removed
		}
		if count(kept, false) != m {
			return fmt.Errorf("depths: %.20q: found a layer twice", key)
		}
		metric := math.NaN()
		if d.Metric != nil {
			metric = *d.Metric
		}
		s.Depths[m] = Depth{kept, metric}
	}
	return nil
}

// maxExpanded bounds the channels of all masks together; a model of 70B parameters has a fifth.
const maxExpanded = 1 << 26

// maxLayers is more than any model has.
const maxLayers = 1 << 16

// masks expands the runs of a layer. Room is how many channels may still be expanded.
func (j jsonMasks) masks(widths int, room *int) (m Masks, err error) {
	for _, of := range []struct {
		into     *[][]bool
		runs     [][]int
		channels int
	}{{&m.Attention, j.Attention, j.Channels}, {&m.MLP, j.MLP, j.Neurons}} {
		if len(of.runs) != widths || of.channels < 0 || of.channels > *room/max(widths, 1) {
			return m, fmt.Errorf("found %d masks of %d channels, expected %d", len(of.runs), of.channels, widths)
		}
		*room -= of.channels * widths
		for _, ends := range of.runs {
			mask, err := unroll(ends, of.channels)
			if err != nil {
				return m, err
			}
			*of.into = append(*of.into, mask)
		}
	}
	m.Out, m.Down = j.Out, j.Down
	if m.Out != nil && len(m.Out) != widths || m.Down != nil && len(m.Down) != widths {
		return m, fmt.Errorf("found %d and %d biases, expected %d", len(m.Out), len(m.Down), widths)
	}
	return m, nil
}

// unroll returns the mask of runs.
func unroll(ends []int, channels int) ([]bool, error) {
	mask := make([]bool, channels)
	from := 0
	for i, end := range ends {
		if end < from || end > channels {
			return nil, fmt.Errorf("found a run that ends at %d, expected %d to %d", end, from, channels)
		}
		for c := from; c < end; c++ {
			mask[c] = i%2 == 1
		}
		from = end
	}
	if len(ends)%2 == 1 {
		return nil, errors.New("found a run without an end")
	}
	return mask, nil
}
