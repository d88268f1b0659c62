package models

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"math"
	"slices"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// A stored state is
//
//	magic "mmistate", version uint32, the model's fingerprint [32]byte, tokens absorbed uint64,
//	a CRC-32C of all that;
//	then block by block the fixed numbers, as float32, and the pages in the format of keys and values,
//	in frames of up to 1 MiB, each followed by a CRC-32C of its number and itself.
//
// All is little-endian and all numbers are finite. Every length follows from the header and the
// model.
const (
	stateMagic   = "mmistate"
	stateVersion = 2
	frameBytes   = 1 << 20
	headerSize   = len(stateMagic) + 4 + 32 + 8
)

// ErrCorrupt says that a stored state is damaged or cut short.
var ErrCorrupt = errors.New("models: stored state is damaged")

// ErrOtherModel says that a stored state belongs to another model, or to the same model in a
// format that changes its weights.
var ErrOtherModel = errors.New("models: stored state belongs to another model")

// WriteTo stores the state.
func (s *State) WriteTo(w io.Writer) (written int64, err error) {
	write := func(b []byte) {
		if err == nil {
			n := 0
			n, err = w.Write(b)
			written += int64(n)
		}
	}
	header := append([]byte(stateMagic), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(header[len(stateMagic):], stateVersion)
	header = append(header, s.model.fingerprint[:]...)
	header = binary.LittleEndian.AppendUint64(header, uint64(s.pos))
	write(binary.LittleEndian.AppendUint32(header, crc32.Checksum(header, castagnoli)))
	number := 0
	for f := range s.frames(s.held) {
		number++
		if i, v := f.notFinite(); i >= 0 && err == nil {
			err = fmt.Errorf("models: number %d of frame %d of the state is %v: it cannot be continued, nor stored", i, number, v)
		}
		if err != nil {
			break
		}
		b := f.bytes()
		if b == nil {
			b, _ = binary.Append(nil, binary.LittleEndian, f.numbers)
		}
		write(b)
		write(binary.LittleEndian.AppendUint32(nil, seal(number, b)))
	}
	return written, err
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
	n, err := s.model.ReadState(r, nil)
	if err != nil {
		return err
	}
	if r.Len() > 0 {
		return fmt.Errorf("%w: %d bytes after its end", ErrCorrupt, r.Len())
	}
	*s = *n
	return nil
}

// ReadState reads a stored state and not a byte more, from files and bytes in memory by several threads.
// The error wraps [ErrOtherModel] or [ErrCorrupt], or is the reader's own.
func (m *Model) ReadState(r io.Reader, pool *tensor.Pool) (*State, error) {
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
	if err := s.readBody(r, pool); err != nil {
		return nil, err
	}
	return s, nil
}

// readBody reads the frames: in their order, or many at a time if the reader has places.
func (s *State) readBody(r io.Reader, pool *tensor.Pool) error {
	from, at, left := place(r)
	if from == nil {
		number := 0
		for f := range s.frames(s.room(nil)) {
			number++
			if err := f.read(r, number); err != nil {
				return err
			}
		}
		return nil
	}
	// Memory grows with what is there and was found in order.
	t, batch := reading{pool: pool, from: from, at: at}, min(left, batchBytes)
	for f := range s.frames(s.room(tensor.NewSlab(int(batch)))) {
		t.frames, t.size = append(t.frames, f), t.size+f.size()
		if t.size >= batch {
			if err := t.run(); err != nil {
				return err
			}
		}
	}
	if err := t.run(); err != nil {
		return err
	}
	_, err := r.(io.Seeker).Seek(t.at, io.SeekStart)
	return err
}

// place returns where r stands and how many bytes follow, if it has places, as files and bytes in memory have.
func place(r io.Reader) (from io.ReaderAt, at, left int64) {
	from, places := r.(io.ReaderAt)
	f, seeks := r.(io.Seeker)
	if !places || !seeks {
		return nil, 0, 0
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, 0, 0 // a pipe
	}
	end, err := f.Seek(0, io.SeekEnd)
	if _, back := f.Seek(at, io.SeekStart); err != nil || back != nil || end <= at {
		return nil, 0, 0
	}
	return from, at, end - at
}

// batchBytes is how much of a state is read at a time.
const batchBytes = 64 << 20

// reading is the task of reading a batch of frames at their places.
type reading struct {
	pool   *tensor.Pool
	from   io.ReaderAt
	at     int64 // of the batch in the file
	before int   // frames before it
	frames []frame
	size   int64   // of the frames
	places []int64 // of each
	errs   []error
}

// run reads the batch and begins the next.
func (t *reading) run() error {
	t.places = t.places[:0]
	for _, f := range t.frames {
		t.places = append(t.places, t.at)
		t.at += f.size() + 4
	}
	t.errs = make([]error, len(t.frames))
	t.pool.Run(len(t.frames), t)
	t.before, t.frames, t.size = t.before+len(t.frames), t.frames[:0], 0
	return cmp.Or(t.errs...)
}

func (t *reading) Do(i int) {
	f := t.frames[i]
	t.errs[i] = f.read(io.NewSectionReader(t.from, t.places[i], f.size()+4), t.before+i+1)
}

// frames yields the frames of the state's fixed numbers and of each block's pages.
func (s *State) frames(pages func(block int) iter.Seq[nn.Page]) iter.Seq[frame] {
	return func(yield func(frame) bool) {
		for x := range slices.Chunk(s.slab, frameBytes/4) {
			if !yield(frame{numbers: x}) {
				return
			}
		}
		for i, spec := range s.model.specs {
			if spec.KV.Heads == 0 {
				continue
			}
			for p := range pages(i) {
				for f := range pageFrames(p, spec.KV.Format) {
					if !yield(f) {
						return
					}
				}
			}
		}
	}
}

// held yields a block's pages.
func (s *State) held(block int) iter.Seq[nn.Page] { return s.kv[block].Pages() }

// room returns what yields empty pages for the s.pos tokens of a block, each made when those before have been taken, from
// a slab if there is one. Then the block holds them.
func (s *State) room(slab *tensor.Slab) func(block int) iter.Seq[nn.Page] {
	return func(block int) iter.Seq[nn.Page] {
		return func(yield func(nn.Page) bool) {
			spec := s.model.specs[block].KV
			var pages []nn.Page
			for range spec.PagesAt(s.pos) {
				p := spec.NewPage(slab)
				pages = append(pages, p)
				if !yield(p) {
					return
				}
			}
			if err := s.kv[block].Restore(s.pos, pages); err != nil {
				panic(fmt.Sprintf("models.ReadState: %v", err)) // the cache is empty and the pages are its own
			}
		}
	}
}

// pageFrames yields the frames of a page in the format of keys and values.
func pageFrames(p nn.Page, format tensor.Format) iter.Seq[frame] {
	return func(yield func(frame) bool) {
		for x := range slices.Chunk(p.Floats, frameBytes/4) {
			if !yield(frame{numbers: x}) {
				return
			}
		}
		for x := range slices.Chunk(p.Codes, frameBytes) {
			if !yield(frame{numbers: x}) {
				return
			}
		}
		if p.Codes != nil {
			format = tensor.FormatBF16 // of scales
		}
		for x := range slices.Chunk(p.Halves, frameBytes/2) {
			if !yield(frame{x, format}) {
				return
			}
		}
	}
}

// frame is numbers that lie side by side in the memory of a state and in a file.
type frame struct {
	numbers any           // []float32, []uint16 or []int8
	format  tensor.Format // of uint16
}

// size returns the bytes of a frame without its checksum.
func (f frame) size() int64 { return int64(binary.Size(f.numbers)) }

// bytes returns the memory of the numbers, nil on a machine that does not hold them as files do.
func (f frame) bytes() []byte {
	switch x := f.numbers.(type) {
	case []float32:
		return tensor.LittleEndian(x)
	case []uint16:
		return tensor.LittleEndian(x)
	}
	return tensor.LittleEndian(f.numbers.([]int8))
}

// notFinite returns the first number that is not and its index, -1 if there is none.
func (f frame) notFinite() (i int, v float32) {
	switch x := f.numbers.(type) {
	case []float32:
		if i = tensor.NotFinite(x); i >= 0 {
			v = x[i]
		}
		return i, v
	case []uint16:
		if i = tensor.NotFiniteHalf(x, f.format); i >= 0 {
			wide := make([]float32, 1)
			tensor.Widen(wide, x[i:i+1], f.format)
			v = wide[0]
		}
		return i, v
	}
	return -1, 0
}

// read reads the frame of the given number, counted from 1, and its checksum.
func (f frame) read(r io.Reader, number int) error {
	b := f.bytes()
	own := b != nil
	if !own {
		b = make([]byte, f.size())
	}
	var sum [4]byte
	if err := readFull(r, b); err != nil {
		return err
	}
	if err := readFull(r, sum[:]); err != nil {
		return err
	}
	if seal(number, b) != binary.LittleEndian.Uint32(sum[:]) {
		return fmt.Errorf("%w: checksum of frame %d", ErrCorrupt, number)
	}
	if !own {
		if _, err := binary.Decode(b, binary.LittleEndian, f.numbers); err != nil {
			return err
		}
	}
	if i, v := f.notFinite(); i >= 0 {
		return fmt.Errorf("%w: number %d of frame %d is %v", ErrCorrupt, i, number, v)
	}
	return nil
}

// seal is the checksum of a frame: its number makes frames of equal contents differ.
func seal(number int, b []byte) uint32 {
	sum := crc32.Checksum(binary.LittleEndian.AppendUint32(nil, uint32(number)), castagnoli)
	return crc32.Update(sum, castagnoli, b)
}

// readFull reads all of b; an end before that is damage.
func readFull(r io.Reader, b []byte) error {
	n, err := io.ReadFull(r, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: it ends after %d of %d bytes", ErrCorrupt, n, len(b))
	}
	return err
}
