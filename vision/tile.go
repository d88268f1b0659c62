package vision

import (
	"errors"
	"fmt"
)

// Options say how a picture is cut into tiles.
type Options struct {
	Size      int  // side S of a tile in pixels
	MinTiles  int  // fewest tiles, 0 for 1
	MaxTiles  int  // most tiles, 0 for 1; the thumbnail is not counted
	Thumbnail bool // append the whole picture at the size of a tile where there are several
}

// MMMamba returns what mmMamba's usage page sets: tiles of 448 pixels, 1 to 12 of them and a thumbnail
// (docs/usage.md of hustvl/mmMamba@85143d0). Its evaluation uses 6 tiles, for video 1.
func MMMamba() Options {
	return Options{Size: 448, MinTiles: 1, MaxTiles: 12, Thumbnail: true}
}

// maxTilePixels bounds the pixels of all tiles together, the thumbnail left out.
const maxTilePixels = 64 << 20

// check judges the options and fills in what is 0.
func (o Options) check() (Options, error) {
	o.MinTiles = max(o.MinTiles, 1)
	if o.MaxTiles == 0 {
		o.MaxTiles = o.MinTiles
	}
	switch {
	case o.Size < 1 || o.Size > 1<<13:
		return o, fmt.Errorf("vision: tiles: size %d, want 1..%d", o.Size, 1<<13)
	case o.MaxTiles < o.MinTiles:
		return o, fmt.Errorf("vision: tiles: at least %d and at most %d", o.MinTiles, o.MaxTiles)
	case o.MaxTiles > 1<<12 || o.MaxTiles*o.Size*o.Size > maxTilePixels || o.MaxTiles*o.Size > maxSide:
		return o, fmt.Errorf("vision: tiles: at most %d of size %d, want fewer or smaller ones", o.MaxTiles, o.Size)
	}
	return o, nil
}

// Grid returns the number of columns and rows that a picture of width x height pixels is cut into,
// whose quotient is nearest to the picture's. Of grids with the same quotient, such as 1 x 1 and
// 2 x 2, it takes the larger one if the picture has more than half its pixels
// (find_closest_aspect_ratio in docs/usage.md of hustvl/mmMamba@85143d0). It fails if the options
// cannot be met.
//
// The reference goes through grids of the same product in the order of a Python set, this
// function with few columns first. It matters only for a quotient in the middle between two
// grids of MinTiles.
func (o Options) Grid(width, height int) (columns, rows int, err error) {
	if o, err = o.check(); err != nil {
		return 0, 0, err
	}
	if width < 1 || height < 1 {
		return 0, 0, fmt.Errorf("vision: tiles: picture of %d x %d pixels, want at least one", width, height)
	}
	aspect := float64(width) / float64(height)
	best := -1.0
	columns, rows = 1, 1
	for product := o.MinTiles; product <= o.MaxTiles; product++ {
		for c := 1; c <= product; c++ {
			if product%c != 0 {
				continue
			}
			r := product / c
			diff := max(aspect-float64(c)/float64(r), float64(c)/float64(r)-aspect)
			if best < 0 || diff < best || diff == best && float64(width)*float64(height) > 0.5*float64(o.Size*o.Size*product) {
				best, columns, rows = diff, c, r
			}
		}
	}
	return columns, rows, nil
}

// Count returns the number of tiles, the thumbnail among them, of a picture of width x height
// pixels: what a prompt must make room for, known before decoding.
func (o Options) Count(width, height int) (int, error) {
	columns, rows, err := o.Grid(width, height)
	return o.count(columns, rows), err
}

func (o Options) count(columns, rows int) int {
	n := columns * rows
	if o.Thumbnail && n > 1 {
		n++
	}
	return n
}

// Tiles are the tiles of a picture, row by row of its grid, the thumbnail last.
type Tiles struct {
	N, Size       int     // number of tiles, the thumbnail among them; side of a tile in pixels
	Columns, Rows int     // the grid
	Pix           []uint8 // [N, Size, Size, 3], red, green, blue
}

// Tile resizes a picture to a grid of tiles and cuts it (dynamic_preprocess in docs/usage.md of
// hustvl/mmMamba@85143d0). It fails if the options cannot be met.
func Tile(m *Image, o Options) (*Tiles, error) {
	if m == nil {
		return nil, errors.New("vision: tiles: no picture")
	}
	columns, rows, err := o.Grid(m.Width, m.Height)
	if err != nil {
		return nil, err
	}
	s := o.Size
	t := &Tiles{N: o.count(columns, rows), Size: s, Columns: columns, Rows: rows}
	whole, err := m.Resize(columns*s, rows*s)
	if err != nil {
		return nil, err
	}
	if t.N == 1 {
		t.Pix = whole.Pix
		if whole == m {
			t.Pix = append([]uint8(nil), whole.Pix...)
		}
		return t, nil
	}
	t.Pix = make([]uint8, 0, t.N*s*s*3)
	for i := range columns * rows {
		for y := range s {
			t.Pix = append(t.Pix, whole.row(i/columns*s + y)[i%columns*s*3:][:s*3]...)
		}
	}
	if t.N > columns*rows {
		thumbnail, err := m.Resize(s, s)
		if err != nil {
			return nil, err
		}
		t.Pix = append(t.Pix, thumbnail.Pix...)
	}
	return t, nil
}

// Normalization brings bytes to the range a model was trained with: (v/255 - Mean) / Std for red,
// green and blue, rounded to float32 after each operation.
type Normalization struct {
	Mean, Std [3]float32
}

// ImageNet returns the mean and deviation of ImageNet, which mmMamba and the InternVL family use.
func ImageNet() Normalization {
	return Normalization{Mean: [3]float32{0.485, 0.456, 0.406}, Std: [3]float32{0.229, 0.224, 0.225}}
}

// table returns the normalised value of each byte.
func (n Normalization) table() (t [3][256]float32) {
	for c := range t {
		for v := range t[c] {
			t[c][v] = (float32(v)/255 - n.Mean[c]) / n.Std[c]
		}
	}
	return t
}

// Normalize writes the tiles as a model reads them: dst is [N, 3, Size, Size]. It panics if dst has
// another length.
func (t *Tiles) Normalize(dst []float32, n Normalization) {
	plane := t.Size * t.Size
	if len(dst) != 3*t.N*plane || len(t.Pix) != len(dst) {
		panic("vision.Normalize: dst is not [N, 3, Size, Size]")
	}
	table := n.table()
	for len(dst) > 0 {
		r, g, b := dst[:plane], dst[plane:][:plane], dst[2*plane:][:plane]
		src := t.Pix[len(t.Pix)-len(dst):]
		for i := range plane {
			r[i], g[i], b[i] = table[0][src[3*i]], table[1][src[3*i+1]], table[2][src[3*i+2]]
		}
		dst = dst[3*plane:]
	}
}
