package golden

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mminfer/mminfer/loader"
)

// lossyLevels is how far a byte of a lossy picture may be from the reference's: decoders round
// inverse transforms differently.
const lossyLevels = 3

// Picture is one way to make a picture a model's input, and what it must give.
type Picture struct {
	File               string
	Width, Height      int
	Size               int  `json:"image_size"`
	Min                int  `json:"min_num"` // fewest tiles
	Max                int  `json:"max_num"`
	Thumbnail          bool `json:"use_thumbnail"`
	Columns            int  `json:"grid_cols"`
	Rows               int  `json:"grid_rows"`
	Want               string
	Tolerance          struct{ Max, Mean float64 } `json:"tolerance_u8"`
	Data, RGB, TilesU8 []byte                      `json:"-"` // the file; [height, width, 3] and [tiles, size, size, 3] where present
	PixelValues        []float32                   `json:"-"` // [tiles, 3, size, size] where present
}

// Pictures are the cases of a directory of pictures.
type Pictures struct {
	Cases []*Picture
	Table [][]float32 // [3, 256], the normalised value of each byte
	Grids [][7]int    // width, height, size, fewest and most tiles, wanted columns and rows
}

// OpenPictures reads a directory of pictures: cases.json, want.safetensors and the files they name.
func OpenPictures(dir string) (*Pictures, error) {
	data, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		return nil, err
	}
	var list struct {
		Cases []*Picture
		Grid  struct{ Rows [][7]int } `json:"grid_table"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("golden: %s: %w", filepath.Join(dir, "cases.json"), err)
	}
	ck, err := loader.OpenFile(filepath.Join(dir, "want.safetensors"))
	if err != nil {
		return nil, err
	}
	defer ck.Close()
	for _, c := range list.Cases {
		if c.Data, err = os.ReadFile(filepath.Join(dir, filepath.Base(c.File))); err != nil {
			return nil, err
		}
		c.RGB, c.TilesU8 = bytesOf(ck, c.File+".rgb"), bytesOf(ck, c.Want+".tiles_u8")
		c.PixelValues = floatsOf(ck, c.Want+".pixel_values")
	}
	p := &Pictures{Cases: list.Cases, Grids: list.Grid.Rows}
	for table := floatsOf(ck, "norm_lut"); len(table) >= 256; table = table[256:] {
		p.Table = append(p.Table, table[:256])
	}
	return p, nil
}

// bytesOf returns a copy of a tensor of bytes, nil if there is none of that name.
func bytesOf(ck *loader.Checkpoint, name string) []byte {
	t, ok := ck.Tensor(name)
	if !ok {
		return nil
	}
	return append([]byte(nil), t.Data...)
}

// floatsOf returns a tensor, nil if there is none of that name.
func floatsOf(ck *loader.Checkpoint, name string) []float32 {
	t, ok := ck.Tensor(name)
	if !ok {
		return nil
	}
	v := make([]float32, t.Elements())
	t.Floats(v, 0)
	return v
}

// Compare holds decoded bytes or tiles against what is wanted: worst is the largest difference, 256
// if the lengths differ. A lossless picture must agree, a lossy one be within 3 levels, and in the
// mean within the case's tolerance.
func (p *Picture) Compare(got, want []byte) (worst int, ok bool) {
	if len(got) != len(want) || len(got) == 0 {
		return 256, false
	}
	sum := 0
	for i, g := range got {
		d := max(int(g)-int(want[i]), int(want[i])-int(g))
		worst, sum = max(worst, d), sum+d
	}
	mean := float64(sum) / float64(len(got))
	return worst, float64(worst) <= min(p.Tolerance.Max, lossyLevels) && mean <= p.Tolerance.Mean
}
