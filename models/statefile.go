package models

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"

	"github.com/mminfer/mminfer/tensor"
)

// A stored state is
//
//	magic "mmistate", version uint32, the model's fingerprint [32]byte, tokens absorbed uint64,
//	a CRC-32C of all that;
//	then the fixed numbers and the pages, block by block, as float32, in frames of up to 1 MiB, each
//	followed by a CRC-32C of itself and its number.
//
// All is little-endian and all numbers are finite. Every length follows from the header and the
// model.
const (
	stateMagic   = "mmistate"
	stateVersion = 1
	frameFloats  = 1 << 18
	headerSize   = len(stateMagic) + 4 + 32 + 8
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
	f.write(binary.LittleEndian.AppendUint32(header, crc32.Checksum(header, castagnoli)))
	f.floats(s.slab)
	for _, kv := range s.kv {
		if kv != nil {
			for p := range kv.Pages() {
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
	header := make([]byte, headerSize+4)
	if err := readFull(r, header); err != nil {
		return nil, err
	}
	body, sum := header[:headerSize], binary.LittleEndian.Uint32(header[headerSize:])
	magic, version := body[:len(stateMagic)], binary.LittleEndian.Uint32(body[len(stateMagic):])
	pos := binary.LittleEndian.Uint64(body[headerSize-8:])
	switch {
	case string(magic) != stateMagic:
		return nil, fmt.Errorf("%w: it begins with %q, expected %q", ErrCorrupt, magic, stateMagic)
	case version != stateVersion:
		return nil, fmt.Errorf("%w: version %d, this program reads version %d", ErrCorrupt, version, stateVersion)
	case string(body[len(stateMagic)+4:headerSize-8]) != string(m.fingerprint[:]):
		return nil, ErrOtherModel
	case crc32.Checksum(body, castagnoli) != sum:
		return nil, fmt.Errorf("%w: checksum of its header", ErrCorrupt)
	case pos > math.MaxInt32:
		return nil, fmt.Errorf("%w: %d tokens", ErrCorrupt, pos)
	}
	s := m.NewState()
	s.pos = int(pos)
	if err := s.readBody(&frames{r: r}); err != nil {
		return nil, err
	}
	return s, nil
}

// readBody reads the fixed numbers and the pages. A page is allocated when those before it have
// been read.
func (s *State) readBody(f *frames) error {
	f.readFloats(s.slab)
	for i, kv := range s.kv {
		if kv == nil {
			continue
		}
		spec := s.model.specs[i].KV
		var pages [][]float32
		for n := spec.PagesAt(s.pos); n > 0 && f.err == nil; n-- {
			page := make([]float32, spec.PageFloats())
			f.readFloats(page)
			pages = append(pages, page)
		}
		if f.err != nil {
			return f.err
		}
		if err := kv.Restore(s.pos, pages); err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
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

// floats writes numbers, from where they lie if the machine stores them as files do.
func (f *frames) floats(x []float32) {
	for len(x) > 0 && f.err == nil {
		n := min(len(x), frameFloats)
		if i := tensor.NotFinite(x[:n]); i >= 0 {
			f.err = fmt.Errorf("models: number %d of frame %d of the state is %v: it cannot be continued, nor stored", i, f.number+1, x[i])
			return
		}
		b := tensor.LittleEndian(x[:n])
		if b == nil {
			f.buf = f.buf[:0]
			for _, v := range x[:n] {
				f.buf = binary.LittleEndian.AppendUint32(f.buf, math.Float32bits(v))
			}
			b = f.buf
		}
		f.write(b)
		f.write(binary.LittleEndian.AppendUint32(nil, f.seal(b)))
		x = x[n:]
	}
}

// readFloats reads what floats writes.
func (f *frames) readFloats(x []float32) {
	for len(x) > 0 && f.err == nil {
		n := min(len(x), frameFloats)
		b, own := tensor.LittleEndian(x[:n]), true
		if b == nil {
			f.buf = slices.Grow(f.buf[:0], 4*n)
			b, own = f.buf[:4*n], false
		}
		var sum [4]byte
		if f.err = readFull(f.r, b); f.err != nil {
			return
		}
		if f.err = readFull(f.r, sum[:]); f.err != nil {
			return
		}
		if f.seal(b) != binary.LittleEndian.Uint32(sum[:]) {
			f.err = fmt.Errorf("%w: checksum of frame %d", ErrCorrupt, f.number)
			return
		}
		for i := 0; i < n && !own; i++ {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		if i := tensor.NotFinite(x[:n]); i >= 0 {
			f.err = fmt.Errorf("%w: number %d of frame %d is %v", ErrCorrupt, i, f.number, x[i])
			return
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
