// Package golden runs golden directories: reference values computed in float64 beside the
// checkpoint they belong to. A directory holds config.json, the weights, want.safetensors and
// verify.json, which lists prompts, the tensors wanted of each and their bounds.
package golden

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mminfer/mminfer/loader"
)

// Suite is the contents of verify.json for a language model.
type Suite struct {
	Kind  string // lm, or subnet: cases of several shapes of one base
	Cases []*Case

	Base, Adapter, Strategy string // of a subnet: directories and file, "" for none

	dir string

	want *loader.Checkpoint
}

// Case is one prompt.
type Case struct {
	Name         string
	IDs          []int32
	Want         []Want
	Greedy       []int32 // the argmax continuation
	GreedyMargin float64 `json:"greedy_margin"`
	Pieces       []int   // a cut of the prompt that must give the same
	Pixels       string  // the tensor of want.safetensors with the normalised tiles, "" for none
	Tiles        [2]int  // which of them: from the first up to the second

	Shape       string    // of a subnet
	Gates       []float32 // of its experts
	Active      []int     // 1 for each layer of the base that is kept, 0 for the others
	HeadsKept   []int     `json:"heads_kept"` // of each layer of the base
	NeuronsKept []int     `json:"neurons_kept"`
}

// Want is one tensor to compare.
type Want struct {
	Tensor       string  // its name in want.safetensors
	Of           string  // embed, block.I, norm, logits, decode_logits
	Rows         string  // all, or "last N"
	First        string  // of decode_logits: prompt or greedy, what row 0 follows
	Float32Error float64 `json:"float32_error"`
	Bound        float64
}

// Open reads the suite of a directory; Close releases it.
func Open(dir string) (*Suite, error) {
	path := filepath.Join(dir, "verify.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := new(Suite)
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("golden: %s: %w", path, err)
	}
	if s.dir = dir; s.Kind != "lm" && s.Kind != "subnet" {
		return nil, fmt.Errorf("golden: %s: kind %q is not one that verify knows: lm, subnet", path, s.Kind)
	}
	if s.want, err = loader.OpenFile(filepath.Join(dir, "want.safetensors")); err != nil {
		return nil, err
	}
	return s, nil
}

// Close releases the reference values.
func (s *Suite) Close() error { return s.want.Close() }

// values returns the rows wanted, flat. Logits beyond the vocabulary, of rows that pad a head, are
// left out.
func (s *Suite) values(w Want, vocab int) ([]float32, error) {
	t, ok := s.want.Tensor(w.Tensor)
	if !ok {
		return nil, fmt.Errorf("golden: want.safetensors has no tensor %q", w.Tensor)
	}
	v := make([]float32, t.Elements())
	t.Floats(v, 0)
	if strings.HasSuffix(w.Of, "logits") && len(t.Shape) == 2 && t.Shape[1] > vocab {
		for i := range t.Shape[0] {
			copy(v[i*vocab:(i+1)*vocab], v[i*t.Shape[1]:])
		}
		v = v[:t.Shape[0]*vocab]
	}
	return v, nil
}

// tiles returns the tiles of a case's pictures, [n, 3, side, side].
func (s *Suite) tiles(c *Case) (tiles []float32, side int, err error) {
	t, ok := s.want.Tensor(c.Pixels)
	if !ok || len(t.Shape) != 4 || t.Shape[2] != t.Shape[3] || c.Tiles[0] < 0 || c.Tiles[1] < c.Tiles[0] || t.Shape[0] < c.Tiles[1] {
		return nil, 0, fmt.Errorf("golden: case %s: tensor %q of want.safetensors has no square tiles %d to %d", c.Name, c.Pixels, c.Tiles[0], c.Tiles[1])
	}
	size := t.Elements() / max(1, t.Shape[0])
	tiles = make([]float32, (c.Tiles[1]-c.Tiles[0])*size)
	t.Floats(tiles, c.Tiles[0]*size)
	return tiles, t.Shape[3], nil
}

// last returns the number of rows of "last N", 0 for all.
func (w Want) last() (int, error) {
	n, ok := strings.CutPrefix(w.Rows, "last ")
	if !ok {
		if w.Rows == "all" || w.Rows == "" {
			return 0, nil
		}
		return 0, fmt.Errorf("golden: %s: rows %q: expected all or last N", w.Tensor, w.Rows)
	}
	return strconv.Atoi(n)
}
