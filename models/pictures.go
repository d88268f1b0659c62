package models

import (
	"errors"
	"fmt"
	"math"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// Pictures says how a model takes pictures. A picture is cut into tiles; each becomes rows of the
// model's width, which stand in a text at places held by a token made for that.
type Pictures struct {
	Token int32 // holds the place of a row
	Size  int   // side of a tile, pixels
	Patch int   // side of the patches that a tile is cut into, pixels
	Rows  int   // of a tile of that size

	MinTiles, MaxTiles int  // that the configuration asks a picture to be cut into
	Thumbnail          bool // whether the whole picture is to follow several tiles
}

// pictures is a model's front end.
type pictures struct {
	Pictures
	embed nn.TileEmbed
}

// bytes is the memory of the positions, which are not packed.
func (p *pictures) bytes() int64 { return int64(4 * len(p.embed.Positions)) }

// Pictures tells how the model takes pictures; ok is false if it takes none.
func (m *Model) Pictures() (p Pictures, ok bool) {
	if m.pictures == nil {
		return Pictures{}, false
	}
	return m.pictures.Pictures, true
}

// TileRows returns the number of rows that a tile of so many pixels along a side becomes, an error if
// the model cannot take such a tile.
func (m *Model) TileRows(side int) (int, error) {
	if m.pictures == nil {
		return 0, fmt.Errorf("models: %s takes no pictures", m.Type)
	}
	patch := m.pictures.Patch
	if n := side / patch; side < 1 || side > 1<<13 || n < 2 || n%2 != 0 {
		return 0, fmt.Errorf("models: tiles of %d pixels: expected an even number of patches of %d along a side", side, patch)
	}
	return m.pictures.embed.Rows(side), nil
}

// Tiles turns normalised tiles [n, 3, side, side] into rows of the residual stream, dst
// [n·TileRows(side), Width], for [Seq].Rows. A tile gives the same bits whichever tiles are beside it.
func (m *Model) Tiles(dst tensor.Mat, tiles []float32, side int, ws *tensor.Workspace) error {
	rows, err := m.TileRows(side)
	if err != nil {
		return err
	}
	n := len(tiles) / (3 * side * side)
	if len(tiles) != n*3*side*side || dst.Rows != n*rows || dst.Cols != m.Width {
		return fmt.Errorf("models: %d tiles of %d pixels in %d numbers make %d rows of %d, found room for %d of %d", n, side, len(tiles), n*rows, m.Width, dst.Rows, dst.Cols)
	}
	if i := tensor.NotFinite(tiles); i >= 0 {
		return fmt.Errorf("models: tiles: number %d is %v", i, tiles[i])
	}
	m.pictures.embed.Apply(dst, tiles, side, ws)
	return nil
}

// Rows take the place of the embeddings of some tokens of a sequence.
type Rows struct {
	At  int        // the first of the tokens, in the IDs of its [Seq]
	Mat tensor.Mat // [n, Width], of [Model.Tiles]
}

// checkRows refuses rows that do not stand at tokens made for them.
func (m *Model) checkRows(s *Seq) error {
	if len(s.Rows) > 0 && m.pictures == nil {
		return errors.New("rows for a model that takes no pictures")
	}
	for _, r := range s.Rows {
		if r.At < 0 || r.At > len(s.IDs)-r.Mat.Rows || r.Mat.Cols != m.Width {
			return fmt.Errorf("%d rows of %d from token %d on, of %d tokens of %d", r.Mat.Rows, r.Mat.Cols, r.At, len(s.IDs), m.Width)
		}
		for i, id := range s.IDs[r.At : r.At+r.Mat.Rows] {
			if id != m.pictures.Token {
				return fmt.Errorf("a row of a picture stands at token %d, which is %d, expected %d", r.At+i, id, m.pictures.Token)
			}
		}
	}
	return nil
}

// rsqrt returns 1/√n.
func rsqrt(n int) float64 { return 1 / math.Sqrt(float64(n)) }
