package loader

import (
	"encoding/binary"
	"io"
)

// Write writes the metadata as a GGUF file without tensors.
func (g *GGUF) Write(w io.Writer) error {
	le := binary.LittleEndian
	b := le.AppendUint32([]byte(ggufMagic), 3)
	b = le.AppendUint64(b, 0)
	b = le.AppendUint64(b, uint64(len(g.keys)))
	for _, key := range g.keys {
		v := g.values[key]
		b = append(le.AppendUint64(b, uint64(len(key))), key...)
		if v.array {
			b = le.AppendUint32(b, uint32(ggufArray))
		}
		b = le.AppendUint32(b, uint32(v.kind))
		if v.array {
			b = le.AppendUint64(b, uint64(v.n))
		}
		if _, err := w.Write(append(b, v.data...)); err != nil {
			return err
		}
		b = b[:0]
	}
	return nil
}
