package models

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/mminfer/mminfer/nn"
)

// A stored state is
//
//	magic "mmistate", version uint32, the model's fingerprint [32]byte, tokens absorbed uint64,
//	for each block with keys and values: position of the first page uint64,
//	a CRC-32C of all that;
//	then the fixed numbers and the pages, block by block, float32, in frames of up to 1 MiB, each
//	followed by a CRC-32C of itself and its number.
//
// All is little-endian. Every length follows from the header and the model.
const (
	stateMagic   = "mmistate"
	stateVersion = 1
	frameFloats  = 1 << 18
)

// ErrCorrupt says that a stored state is damaged or cut short.
var ErrCorrupt = errors.New("models: stored state is damaged")

// ErrOtherModel says that a stored state belongs to another model, or to the same model in a
// format that changes its weights.
var ErrOtherModel = errors.New("models: stored state belongs to another model")

// WriteTo stores the state.
func (s *State) WriteTo(w io.Writer) (int64, error) {
	f := frames{w: w}
	header := append([]byte(stateMagic), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(header[len(stateMagic):], stateVersion)
	header = append(header, s.model.fingerprint[:]...)
	header = binary.LittleEndian.AppendUint64(header, uint64(s.pos))
	for _, kv := range s.kv {
		if kv != nil {
			first, _ := kv.Pages()
			header = binary.LittleEndian.AppendUint64(header, uint64(first))
		}
	}
	f.write(binary.LittleEndian.AppendUint32(header, crc32.Checksum(header, castagnoli)))
	f.floats(s.slab)
	for _, kv := range s.kv {
		if kv != nil {
			_, pages := kv.Pages()
			for _, p := range pages {
				f.floats(p)
			}
		}
	}
	return f.n, f.err
}

// MarshalBinary returns the stored form of the state.
func (s *State) MarshalBinary() ([]byte, error) {
	var b bytes.Buffer
	_, err := s.WriteTo(&b)
	return b.Bytes(), err
}

// UnmarshalBinary replaces the state, which must come from [Model.NewState], by a stored one of
// the same model. On an error nothing has changed.
func (s *State) UnmarshalBinary(data []byte) error {
	r := bytes.NewReader(data)
	n, err := s.model.ReadState(r)
	if err != nil {
		return err
	}
	if r.Len() > 0 {
		return fmt.Errorf("%w: %d bytes after its end", ErrCorrupt, r.Len())
	}
	*s = *n
	return nil
}

// ReadState reads a stored state and not a byte more. The error wraps [ErrOtherModel] or
// [ErrCorrupt], or is the reader's own.
func (m *Model) ReadState(r io.Reader) (*State, error) {
	s := m.NewState()
	caches := 0
	for _, kv := range s.kv {
		if kv != nil {
			caches++
		}
	}
	fixed := len(stateMagic) + 4 + len(m.fingerprint)
	header := make([]byte, fixed+8+8*caches+4)
	if err := readFull(r, header); err != nil {
		return nil, err
	}
	body, sum := header[:len(header)-4], binary.LittleEndian.Uint32(header[len(header)-4:])
	switch {
	case string(body[:len(stateMagic)]) != stateMagic:
		return nil, fmt.Errorf("%w: it begins with %q, expected %q", ErrCorrupt, body[:len(stateMagic)], stateMagic)
	case binary.LittleEndian.Uint32(body[len(stateMagic):]) != stateVersion:
		return nil, fmt.Errorf("%w: version %d, this program reads version %d", ErrCorrupt, binary.LittleEndian.Uint32(body[len(stateMagic):]), stateVersion)
	case string(body[len(stateMagic)+4:fixed]) != string(m.fingerprint[:]):
		return nil, ErrOtherModel
	case crc32.Checksum(body, castagnoli) != sum:
		return nil, fmt.Errorf("%w: checksum of its header", ErrCorrupt)
	}
	pos := binary.LittleEndian.Uint64(body[fixed:])
	if pos > math.MaxInt32 {
		return nil, fmt.Errorf("%w: %d tokens", ErrCorrupt, pos)
	}
	s.pos = int(pos)
	return s, s.readBody(&frames{r: r}, body[fixed+8:])
}

// readBody reads the fixed numbers and the pages, whose first positions the header gives.
func (s *State) readBody(f *frames, firsts []byte) error {
	f.readFloats(s.slab)
	for i, kv := range s.kv {
		if kv == nil {
			continue
		}
		first := binary.LittleEndian.Uint64(firsts)
		firsts = firsts[8:]
		if first > uint64(s.pos) {
			return fmt.Errorf("%w: a page at position %d of %d", ErrCorrupt, first, s.pos)
		}
		var pages [][]float32
		for at := int(first); at < s.pos && f.err == nil; at += nn.PageLen {
			page := make([]float32, s.model.specs[i].KV.PageFloats())
			f.readFloats(page)
			pages = append(pages, page)
		}
		if f.err == nil {
			if err := kv.Restore(s.pos, int(first), pages); err != nil {
				return fmt.Errorf("%w: %w", ErrCorrupt, err)
			}
		}
	}
	return f.err
}

// frames writes or reads checked frames of numbers. After an error it does nothing.
type frames struct {
	w      io.Writer
	r      io.Reader
	n      int64
	number uint32
	buf    []byte
	err    error
}

func (f *frames) write(b []byte) {
	if f.err == nil {
		n, err := f.w.Write(b)
		f.n, f.err = f.n+int64(n), err
	}
}

// seal is the checksum of a frame: its number makes frames of equal contents differ.
func (f *frames) seal(b []byte) uint32 {
	f.number++
	return crc32.Update(crc32.Checksum(binary.LittleEndian.AppendUint32(nil, f.number), castagnoli), castagnoli, b)
}

func (f *frames) floats(x []float32) {
	for len(x) > 0 && f.err == nil {
		n := min(len(x), frameFloats)
		f.buf = f.buf[:0]
		for _, v := range x[:n] {
			f.buf = binary.LittleEndian.AppendUint32(f.buf, math.Float32bits(v))
		}
		f.write(binary.LittleEndian.AppendUint32(f.buf, f.seal(f.buf)))
		x = x[n:]
	}
}

func (f *frames) readFloats(x []float32) {
	for len(x) > 0 && f.err == nil {
		n := min(len(x), frameFloats)
		if cap(f.buf) < 4*frameFloats+4 {
			f.buf = make([]byte, 4*frameFloats+4)
		}
		b := f.buf[:4*n+4]
		if f.err = readFull(f.r, b); f.err != nil {
			return
		}
		if f.seal(b[:4*n]) != binary.LittleEndian.Uint32(b[4*n:]) {
			f.err = fmt.Errorf("%w: checksum of frame %d", ErrCorrupt, f.number)
			return
		}
		for i := range x[:n] {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		x = x[n:]
	}
}

// readFull reads all of b; an end before that is damage.
func readFull(r io.Reader, b []byte) error {
	n, err := io.ReadFull(r, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: it ends after %d of %d bytes", ErrCorrupt, n, len(b))
	}
	return err
}
