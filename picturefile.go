package mminfer

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/mminfer/mminfer/tensor"
)

// A stored picture is uint32 numbers, where it begins in the timeline, its [PictureInfo] and the first
// of its rows that is stored; the digest of its tiles; and the rows from that one on, float32.
const (
	savedNumbers = 8
	savedHeader  = 4*savedNumbers + 32
)

// savePictures returns the timeline's pictures as they are stored: with the rows that are not
// absorbed yet.
func (s *Session) savePictures() (b []byte) {
	for _, p := range s.pictures {
		i := p.picture.info
		first := min(max(s.state.Pos()-p.at, p.picture.first), i.Tokens)
		for _, n := range [savedNumbers]int{p.at, i.Width, i.Height, i.Columns, i.Rows, i.Tiles, i.Tokens, first} {
			b = binary.LittleEndian.AppendUint32(b, uint32(n))
		}
		b = append(b, p.picture.digest[:]...)
		for r := first - p.picture.first; r < p.picture.rows.Rows; r++ {
			for _, v := range p.picture.rows.Row(r) {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
			}
		}
	}
	return b
}

// loadPictures reads what savePictures returns. Every number is held against the timeline.
func (s *Session) loadPictures(b []byte) error {
	about, ok := s.engine.model.Pictures()
	if len(b) > 0 && !ok {
		return fmt.Errorf("%w: pictures for a model that takes none", ErrCorrupt)
	}
	end := 0
	for i := 0; len(b) > 0; i++ {
		if len(b) < savedHeader {
			return fmt.Errorf("%w: picture %d ends after %d bytes", ErrCorrupt, i+1, len(b))
		}
		var n [savedNumbers]int
		for j := range n {
			n[j] = int(binary.LittleEndian.Uint32(b[4*j:]))
		}
		at, tokens, first := n[0], n[6], n[7]
		p := &Picture{engine: s.engine, info: PictureInfo{n[1], n[2], n[3], n[4], n[5], tokens}, digest: [32]byte(b[savedHeader-32:]), first: first}
		b = b[savedHeader:]
		if at < end || tokens < 1 || at > len(s.history)-tokens || first != min(max(s.state.Pos()-at, 0), tokens) {
			return fmt.Errorf("%w: picture %d has %d rows from token %d on, the first of which is %d, in a text of %d tokens", ErrCorrupt, i+1, tokens, at, first, len(s.history))
		}
		for _, id := range s.history[at : at+tokens] {
			if id != about.Token {
				return fmt.Errorf("%w: picture %d stands at a token that is %d", ErrCorrupt, i+1, id)
			}
		}
		width := s.engine.model.Width
		if int64(len(b)) < 4*int64(width)*int64(tokens-first) {
			return fmt.Errorf("%w: picture %d ends within its rows", ErrCorrupt, i+1)
		}
		p.rows = tensor.NewMat(tokens-first, width)
		for j := range p.rows.Data {
			p.rows.Data[j] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*j:]))
		}
		b = b[4*len(p.rows.Data):]
		if j := tensor.NotFinite(p.rows.Data); j >= 0 {
			return fmt.Errorf("%w: number %d of picture %d is %v", ErrCorrupt, j, i+1, p.rows.Data[j])
		}
		s.pictures, end = append(s.pictures, placed{at, p}), at+tokens
	}
	return nil
}
