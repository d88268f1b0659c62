package mminfer

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/mminfer/mminfer/models"
)

// A stored session is
//
//	magic "mminfer\x02", the engine's fingerprint [32]byte, the sizes uint32 of what follows:
//	the random generator's state, the timeline as int32 ids and its pictures, then a SHA-256 of
//	all that, then the model's state in its own form.
const (
	sessionMagic  = "mminfer\x02"
	maxSavedBytes = 1 << 30 // of the timeline's ids, and of its pictures
)

// Save stores the session: its tokens, state and random generator, and of pictures what is not
// absorbed yet. A restored session continues with the same bits.
func (s *Session) Save(w io.Writer) error {
	s.settled()
	rng, err := s.sampler.rng.MarshalBinary()
	if err != nil {
		return err
	}
	b := append([]byte(sessionMagic), s.engine.fingerprint[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(rng)))
	b = binary.LittleEndian.AppendUint32(b, uint32(4*len(s.history)))
	pictures := s.savePictures()
	if len(pictures) > maxSavedBytes || 4*len(s.history) > maxSavedBytes {
		return fmt.Errorf("mminfer: a session of %d tokens and %d bytes of pictures is too long to be stored", len(s.history), len(pictures))
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(pictures)))
	b = append(b, rng...)
	for _, id := range s.history {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	b = append(b, pictures...)
	sum := sha256.Sum256(b)
	if _, err := w.Write(append(b, sum[:]...)); err != nil {
		return err
	}
	_, err = s.state.WriteTo(w)
	return err
}

// Load restores a session that [Session.Save] stored with the same model. The error wraps
// [ErrOtherModel] or [ErrCorrupt], or is the reader's own. Nothing is read beyond the session. Files and
// bytes in memory are read by all threads; other readers one after the other.
func (e *Engine) Load(r io.Reader) (*Session, error) {
	head := make([]byte, len(sessionMagic)+sha256.Size+12)
	if err := readFull(r, head); err != nil {
		return nil, err
	}
	if got := string(head[:len(sessionMagic)]); got != sessionMagic {
		return nil, fmt.Errorf("%w: it begins with %q, which is no session of this version", ErrCorrupt, got)
	}
	sizes := head[len(head)-12:]
	rngSize, idBytes, picBytes := binary.LittleEndian.Uint32(sizes), binary.LittleEndian.Uint32(sizes[4:]), binary.LittleEndian.Uint32(sizes[8:])
	if rngSize > 1<<10 || idBytes > maxSavedBytes || idBytes%4 != 0 || picBytes > maxSavedBytes {
		return nil, fmt.Errorf("%w: sizes %d, %d and %d", ErrCorrupt, rngSize, idBytes, picBytes)
	}
	// ReadAll grows with what is there, not with what is claimed.
	size := int64(rngSize) + int64(idBytes) + int64(picBytes) + sha256.Size
	body, err := io.ReadAll(io.LimitReader(r, size))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) != size {
		return nil, fmt.Errorf("%w: it ends within the tokens", ErrCorrupt)
	}
	body, sum := body[:len(body)-sha256.Size], body[len(body)-sha256.Size:]
	if sha256.Sum256(append(head[:len(head):len(head)], body...)) != [sha256.Size]byte(sum) {
		return nil, fmt.Errorf("%w: checksum of the tokens", ErrCorrupt)
	}
	if string(head[len(sessionMagic):len(head)-12]) != string(e.fingerprint[:]) {
		return nil, ErrOtherModel
	}
	return e.restore(body[:rngSize], body[rngSize:rngSize+idBytes], body[rngSize+idBytes:], r)
}

// restore builds the session of a checked header and reads its state.
func (e *Engine) restore(rng, ids, pictures []byte, r io.Reader) (*Session, error) {
	s := &Session{engine: e}
	if err := s.sampler.rng.UnmarshalBinary(rng); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	for i := 0; i < len(ids); i += 4 {
		s.history = append(s.history, int32(binary.LittleEndian.Uint32(ids[i:])))
	}
	if err := e.checkIDs(s.history); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	var err error
	if s.state, err = e.model.ReadState(r, e.pool); err != nil {
		return nil, err
	}
	if s.state.Pos() > len(s.history) {
		return nil, fmt.Errorf("%w: a state of %d tokens for a text of %d", ErrCorrupt, s.state.Pos(), len(s.history))
	}
	if err := s.loadPictures(pictures); err != nil {
		return nil, err
	}
	return s, nil
}

// readFull reads all of b; an end before that is damage.
func readFull(r io.Reader, b []byte) error {
	n, err := io.ReadFull(r, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: it ends after %d of %d bytes", models.ErrCorrupt, n, len(b))
	}
	return err
}
