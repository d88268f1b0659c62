package main

import (
	"bytes"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/vision"
)

// pictures checks a directory of pictures: what each decodes to and the tiles it is cut into, then
// the grids of other sizes and the normalised values of bytes.
func (v *verify) pictures(d goldenDir) (ok bool, err error) {
	p, err := golden.OpenPictures(d.path)
	if err != nil {
		return false, err
	}
	grids, values := counts{file: "grid_table"}, counts{file: "norm_lut"}
	for _, g := range p.Grids {
		o := vision.Options{Size: g[2], MinTiles: g[3], MaxTiles: g[4]}
		grids.check(wrongGrid(o, g[0], g[1], g[5], g[6]))
	}
	values.check(wrongNormalization(p.Table))

	all := counts{file: "pictures"}
	var rows bytes.Buffer
	w := tabwriter.NewWriter(&rows, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  picture\tdecoded off by\ttiles off by\t")
	for _, c := range p.Cases {
		decoded, tiles, wrong := comparePicture(c)
		if wrong != nil {
			wrong = fmt.Errorf("%s: %w", c.Want, wrong)
		}
		all.check(wrong)
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", c.Want, decoded, tiles, v.verdict(wrong == nil))
	}
	_ = w.Flush() // a buffer does not fail
	ok = v.counts(d, []counts{all, grids, values})
	if !v.quiet {
		fmt.Fprintln(v.out, rows.String())
	}
	return ok, nil
}

// comparePicture makes a picture a model's input. It returns the largest differences in levels, and
// what is wrong.
func comparePicture(c *golden.Picture) (decoded, tiles string, wrong error) {
	decoded, tiles = "-", "-"
	m, err := vision.Decode(c.Data, vision.Limits{})
	if err != nil {
		return decoded, tiles, err
	}
	if c.RGB != nil {
		worst, ok := c.Compare(m.Pix, c.RGB)
		if decoded = fmt.Sprint(worst); !ok {
			wrong = fmt.Errorf("decoded: off by %d of 255 levels", worst)
		}
	}
	o := vision.Options{Size: c.Size, MinTiles: c.Min, MaxTiles: c.Max, Thumbnail: c.Thumbnail}
	if err := wrongGrid(o, m.Width, m.Height, c.Columns, c.Rows); err != nil {
		return decoded, tiles, err
	}
	t, err := vision.Tile(m, o)
	if err != nil {
		return decoded, tiles, err
	}
	worst, ok := c.Compare(t.Pix, c.TilesU8)
	if tiles = fmt.Sprint(worst); !ok && wrong == nil {
		wrong = fmt.Errorf("tiles: off by %d of 255 levels", worst)
	}
	if c.PixelValues != nil && wrong == nil && !slices.Equal(normalized(t), c.PixelValues) {
		wrong = fmt.Errorf("the normalised tiles differ")
	}
	return decoded, tiles, wrong
}

func normalized(t *vision.Tiles) []float32 {
	x := make([]float32, len(t.Pix))
	t.Normalize(x, vision.ImageNet())
	return x
}

func wrongGrid(o vision.Options, width, height, wantColumns, wantRows int) error {
	columns, rows, err := o.Grid(width, height)
	if err == nil && (columns != wantColumns || rows != wantRows) {
		err = fmt.Errorf("%d x %d pixels: grid %d x %d, want %d x %d", width, height, columns, rows, wantColumns, wantRows)
	}
	return err
}

// wrongNormalization compares the normalised value of every byte of every channel: want is [3, 256].
func wrongNormalization(want [][]float32) error {
	t := &vision.Tiles{N: 1, Size: 16}
	for b := range 256 {
		t.Pix = append(t.Pix, uint8(b), uint8(b), uint8(b))
	}
	if got := normalized(t); !slices.Equal(got, slices.Concat(want...)) {
		return fmt.Errorf("the normalised values of single bytes differ")
	}
	return nil
}
