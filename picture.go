package mminfer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
	"github.com/mminfer/mminfer/vision"
)

// A Picture is a picture as a model takes it in: rows of the model's width, one for each of the
// places that it has in a text. It is immutable, and may be given to any number of sessions of the
// engine that made it.
//
// A session keeps what it saw of a picture in its state, as it does with text. Pictures of a session
// that was stored, see [Session.Pictures], have no rows any more: they tell what was seen, but cannot
// be looked at again.
type Picture struct {
	engine *Engine
	info   PictureInfo
	digest [sha256.Size]byte // of the tiles
	first  int               // the first row at hand
	rows   tensor.Mat        // those from first on, [Tokens-first, Width]
}

// PictureInfo describes a [Picture].
type PictureInfo struct {
	Width, Height int // of what was decoded, pixels; 0 if that is not known
	Columns, Rows int // of the grid of tiles
	Tiles         int // the grid's, and the thumbnail if there is one
	Tokens        int // places in a text, without the tokens around them
}

// Info describes the picture.
func (p *Picture) Info() PictureInfo { return p.info }

// MarshalJSON writes the picture as a part of a message's content, {"type": "image", "rows": n}, the
// form that the template of its model knows: see [Message].
func (p *Picture) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `{"type":"image","rows":%d}`, p.info.Tokens), nil
}

// atHand reports whether the picture can be looked at.
func (p *Picture) atHand() bool { return p.first == 0 }

// Picture decodes a picture of any format that [vision.Decode] knows, cuts it into tiles as the
// model's configuration asks, and computes its rows. The error is [ErrNoPictures] if the model takes
// no pictures, and wraps one of package vision if the data is no picture or too large.
func (e *Engine) Picture(data []byte) (*Picture, error) {
	o, err := e.PictureOptions()
	if err != nil {
		return nil, err
	}
	m, err := vision.Decode(data, vision.Limits{})
	if err != nil {
		return nil, err
	}
	tiles, err := vision.Tile(m, o)
	if err != nil {
		return nil, err
	}
	p, err := e.PictureOf(tiles)
	if err != nil {
		return nil, err
	}
	p.info.Width, p.info.Height = m.Width, m.Height
	return p, nil
}

// PictureOptions returns how the model's configuration asks for pictures to be cut into tiles. The
// error is [ErrNoPictures].
func (e *Engine) PictureOptions() (vision.Options, error) {
	about, ok := e.model.Pictures()
	if !ok {
		return vision.Options{}, ErrNoPictures
	}
	return vision.Options{Size: about.Size, MinTiles: about.MinTiles, MaxTiles: about.MaxTiles, Thumbnail: about.Thumbnail}, nil
}

// PictureOf makes a picture of tiles that were cut in another way than [Engine.PictureOptions] asks:
// fewer of them, for instance, for the frames of a film.
func (e *Engine) PictureOf(tiles *vision.Tiles) (*Picture, error) {
	if _, ok := e.model.Pictures(); !ok {
		return nil, ErrNoPictures
	}
	rows, err := e.model.TileRows(tiles.Size)
	if err != nil {
		return nil, err
	}
	size := 3 * tiles.Size * tiles.Size
	if tiles.N < 1 || len(tiles.Pix) != tiles.N*size {
		return nil, fmt.Errorf("mminfer: a picture of %d tiles in %d bytes, expected at least one, of %d bytes", tiles.N, len(tiles.Pix), size)
	}
	w, err := e.begin()
	if err != nil {
		return nil, err
	}
	defer e.end(w)
	p := &Picture{engine: e, rows: tensor.NewMat(tiles.N*rows, e.model.Width)}
	x := make([]float32, size)
	for i := range tiles.N {
		one := vision.Tiles{N: 1, Size: tiles.Size, Pix: tiles.Pix[i*size : (i+1)*size]}
		one.Normalize(x, e.normalization)
		if err := e.model.Tiles(p.rows.Slice(i*rows, (i+1)*rows), x, tiles.Size, &w.ws); err != nil {
			return nil, err
		}
	}
	h := sha256.New()
	h.Write(binary.LittleEndian.AppendUint32(nil, uint32(tiles.Size)))
	h.Write(tiles.Pix)
	h.Sum(p.digest[:0])
	p.info = PictureInfo{Columns: tiles.Columns, Rows: tiles.Rows, Tiles: tiles.N, Tokens: p.rows.Rows}
	return p, nil
}

// readNormalization reads what preprocessor_config.json says of the pixels' range. Where there is no
// such file it is ImageNet's.
func (e *Engine) readNormalization() error {
	e.normalization = vision.ImageNet()
	data, err := e.optional("preprocessor_config.json")
	if err != nil || data == nil {
		return err
	}
	var c struct {
		Mean []float64 `json:"image_mean"`
		Std  []float64 `json:"image_std"`
	}
	if err := json.Unmarshal(loader.StandardJSON(data), &c); err != nil {
		return fmt.Errorf("mminfer: preprocessor_config.json: %w", err)
	}
	for _, part := range []struct {
		key  string
		from []float64
		to   *[3]float32
		ok   func(v float64) bool
	}{
		{"image_mean", c.Mean, &e.normalization.Mean, func(v float64) bool { return math.Abs(v) <= 1e6 }},
		{"image_std", c.Std, &e.normalization.Std, func(v float64) bool { return v >= 1e-6 && v <= 1e6 }},
	} {
		if part.from == nil {
			continue
		}
		if len(part.from) != 3 {
			return fmt.Errorf("mminfer: preprocessor_config.json: %s: found %d numbers, expected 3", part.key, len(part.from))
		}
		for i, v := range part.from {
			if part.to[i] = float32(v); !part.ok(v) {
				return fmt.Errorf("mminfer: preprocessor_config.json: %s: found %v, which no pixel can be normalised with", part.key, v)
			}
		}
	}
	return nil
}

// placed is a picture in a timeline.
type placed struct {
	at      int // its first token
	picture *Picture
}

// end is the token after its last.
func (p placed) end() int { return p.at + p.picture.info.Tokens }

// place finds the places of pictures in ids that will follow n tokens: each takes, in order, as many
// of the tokens that hold places for pictures as it has rows, side by side. All such tokens must be
// taken; without pictures they are tokens like any other.
func (e *Engine) place(n int, ids []int32, pictures []*Picture) (list []placed, err error) {
	if len(pictures) == 0 {
		return nil, nil
	}
	about, ok := e.model.Pictures()
	if !ok {
		return nil, ErrNoPictures
	}
	at := 0
	run := func() (n int) {
		for at < len(ids) && ids[at] != about.Token {
			at++
		}
		for at+n < len(ids) && ids[at+n] == about.Token {
			n++
		}
		return n
	}
	for i, p := range pictures {
		switch found := run(); {
		case p == nil || !p.atHand():
			return nil, fmt.Errorf("mminfer: picture %d: %w", i+1, ErrPictureGone)
		case p.engine != e:
			return nil, fmt.Errorf("mminfer: picture %d belongs to another engine", i+1)
		case found < p.info.Tokens:
			return nil, fmt.Errorf("mminfer: picture %d: found %d places side by side, expected %d of token %d", i+1, found, p.info.Tokens, about.Token)
		}
		list = append(list, placed{n + at, p})
		at += p.info.Tokens
	}
	if left := run(); left > 0 {
		return nil, fmt.Errorf("mminfer: found %d places after those of the %d pictures, expected none", left, len(pictures))
	}
	return list, nil
}

// pictureIDs returns the tokens of a picture: its places between the tokens that begin and end it.
func (e *Engine) pictureIDs(p *Picture) ([]int32, error) {
	about, ok := e.model.Pictures()
	if !ok {
		return nil, ErrNoPictures
	}
	if e.tokenizer == nil {
		return nil, ErrNoTokenizer
	}
	var ids []int32
	if id, ok := e.tokenizer.ID("<img>"); ok {
		ids = append(ids, id)
	}
	for range p.info.Tokens {
		ids = append(ids, about.Token)
	}
	if id, ok := e.tokenizer.ID("</img>"); ok {
		ids = append(ids, id)
	}
	return ids, nil
}

// rows returns the rows of pictures for the tokens of the timeline from up to to.
func (s *Session) rows(from, to int) (list []models.Rows) {
	for i := len(s.pictures) - 1; i >= 0 && s.pictures[i].end() > from; i-- {
		p := s.pictures[i]
		lo, hi := max(from, p.at), min(to, p.end())
		if lo < hi {
			skipped := p.at + p.picture.first
			list = append(list, models.Rows{At: lo - from, Mat: p.picture.rows.Slice(lo-skipped, hi-skipped)})
		}
	}
	return list
}

// Pictures returns the pictures of the timeline, in order.
func (s *Session) Pictures() []*Picture {
	var list []*Picture
	for _, p := range s.pictures {
		list = append(list, p.picture)
	}
	return list
}

// seq is the part of the timeline that is not absorbed, up to a token.
func (s *Session) seq(to int, want models.Want) models.Seq {
	from := s.state.Pos()
	return models.Seq{IDs: s.history[from:to], State: s.state, Want: want, Rows: s.rows(from, to)}
}

// cut forgets the tokens from n on, none of which is absorbed.
func (s *Session) cut(n int) {
	s.history = s.history[:n:n]
	keep := 0
	for keep < len(s.pictures) && s.pictures[keep].end() <= n {
		keep++
	}
	s.pictures = s.pictures[:keep:keep]
}
