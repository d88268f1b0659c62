package tokenizer

import (
	"bytes"
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// A protoField is a field of a protobuf message.
type protoField struct {
	number protowire.Number
	kind   protowire.Type
	value  []byte // as encoded
}

// protoFields calls fn for the fields of a message.
func protoFields(message []byte, fn func(protoField) error) error {
	for at := 0; at < len(message); {
		number, kind, n := protowire.ConsumeTag(message[at:])
		if n < 0 {
			return fmt.Errorf("byte %d: %w", at, protowire.ParseError(n))
		}
		at += n
		if n = protowire.ConsumeFieldValue(number, kind, message[at:]); n < 0 {
			return fmt.Errorf("byte %d: field %d: %w", at, number, protowire.ParseError(n))
		}
		if err := fn(protoField{number, kind, message[at : at+n]}); err != nil {
			return fmt.Errorf("field %d: %w", number, err)
		}
		at += n
	}
	return nil
}

// want checks the wire type of a field.
func (f protoField) want(kind protowire.Type) error {
	if f.kind != kind {
		return fmt.Errorf("found wire type %d, expected %d", f.kind, kind)
	}
	return nil
}

// text returns a string or a message.
func (f protoField) text() ([]byte, error) {
	if err := f.want(protowire.BytesType); err != nil {
		return nil, err
	}
	b, _ := protowire.ConsumeBytes(f.value)
	return b, nil
}

// integer returns an integer, enum or bool.
func (f protoField) integer() (int32, error) {
	if err := f.want(protowire.VarintType); err != nil {
		return 0, err
	}
	v, _ := protowire.ConsumeVarint(f.value)
	return int32(v), nil
}

// float returns a float.
func (f protoField) float() (float32, error) {
	if err := f.want(protowire.Fixed32Type); err != nil {
		return 0, err
	}
	v, _ := protowire.ConsumeFixed32(f.value)
	return math.Float32frombits(v), nil
}

// A modelProto is what is used of a tokenizer.model.
//
// Source: google/sentencepiece@03dad83 and later, src/sentencepiece_model.proto.
type modelProto struct {
	pieces     []sentencePiece
	trainer    map[protowire.Number]int32
	names      map[protowire.Number]string // of the trainer's special pieces
	normalizer map[protowire.Number]int32
	charsmap   []byte
	reverse    bool // there is a table for decoding
}

// Fields of the messages, with their values where the file has none.
const (
	fieldPieces, fieldTrainer, fieldNormalizer, fieldDenormalizer = 1, 2, 3, 5

	fieldModelType, fieldSuffix, fieldByteFallback     = 3, 24, 35
	fieldBOS, fieldEOS, fieldBOSPiece, fieldEOSPiece   = 41, 42, 46, 47
	fieldCharsmap, fieldPrefix, fieldTrim, fieldEscape = 2, 3, 4, 5

	typeUnigram, typeBPE = 1, 2
)

// readModelProto reads a tokenizer.model.
func readModelProto(data []byte) (*modelProto, error) {
	m := &modelProto{
		trainer:    map[protowire.Number]int32{fieldModelType: typeUnigram, fieldBOS: 1, fieldEOS: 2},
		names:      map[protowire.Number]string{fieldBOSPiece: "<s>", fieldEOSPiece: "</s>"},
		normalizer: map[protowire.Number]int32{fieldPrefix: 1, fieldTrim: 1, fieldEscape: 1},
	}
	err := protoFields(data, func(f protoField) error {
		if f.number > fieldDenormalizer || f.number == fieldDenormalizer-1 {
			return nil
		}
		b, err := f.text()
		if err != nil {
			return err
		}
		switch f.number {
		case fieldPieces:
			err = m.piece(b)
		case fieldTrainer:
			err = protoFields(b, m.trainerField)
		case fieldNormalizer:
			err = protoFields(b, m.normalizerField)
		default:
			err = protoFields(b, func(f protoField) error {
				m.reverse = m.reverse || f.number == fieldCharsmap && len(f.value) > 1
				return nil
			})
		}
		return err
	})
	return m, err
}

// piece reads a piece.
func (m *modelProto) piece(b []byte) error {
	id := len(m.pieces)
	if id == maxVocab {
		return fmt.Errorf("found more than %d pieces, expected at most that", maxVocab)
	}
	p := sentencePiece{kind: pieceNormal}
	err := protoFields(b, func(f protoField) error {
		var err error
		switch f.number {
		case 1:
			var b []byte
			b, err = f.text()
			p.text = string(b)
		case 2:
			p.score, err = f.float()
		case 3:
			var kind int32
			kind, err = f.integer()
			p.kind = pieceKind(kind)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("piece %d: %w", id, err)
	}
	if !utf8.ValidString(p.text) {
		return fmt.Errorf("piece %d: found invalid UTF-8, %s", id, clip(p.text))
	}
	m.pieces = append(m.pieces, p)
	return nil
}

// trainerField reads a field of the trainer's specification.
func (m *modelProto) trainerField(f protoField) (err error) {
	switch f.number {
	case fieldModelType, fieldSuffix, fieldByteFallback, fieldBOS, fieldEOS:
		m.trainer[f.number], err = f.integer()
	case fieldBOSPiece, fieldEOSPiece:
		var b []byte
		b, err = f.text()
		m.names[f.number] = string(b)
	}
	return err
}

// normalizerField reads a field of the normalizer's specification.
func (m *modelProto) normalizerField(f protoField) (err error) {
	switch f.number {
	case fieldCharsmap:
		var b []byte
		b, err = f.text()
		m.charsmap = bytes.Clone(b)
	case fieldPrefix, fieldTrim, fieldEscape:
		m.normalizer[f.number], err = f.integer()
	}
	return err
}
