package models

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/mminfer/mminfer/tensor"
)

// fingerprintChunk is the bytes of a tensor that one thread sums at a time.
const fingerprintChunk = 4 << 20

// castagnoli is the polynomial that processors compute.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Fingerprinter is a checkpoint that tells itself what identifies it: see [Fingerprint].
type Fingerprinter interface {
	Fingerprint(format tensor.Format, pool *tensor.Pool) [sha256.Size]byte
}

// Fingerprint identifies what a state depends on: the configuration, every tensor's name, type,
// shape and contents, and whether the format in use changes weights. It guards against mistakes,
// not against forgery.
func Fingerprint(ck Checkpoint, format tensor.Format, pool *tensor.Pool) [sha256.Size]byte {
	if f, ok := ck.(Fingerprinter); ok {
		return f.Fingerprint(format, pool)
	}
	h := sha256.New()
	h.Write(ck.Config())
	for _, name := range ck.Names() {
		t, _ := ck.Tensor(name)
		stored := "as stored"
		if f := format.For(t.Type); !f.Keeps(t.Type) {
			stored = f.String()
		}
		fmt.Fprintf(h, "\n%s %s", t, stored)
		sums := &summing{data: t.Data, sums: make([]uint32, (len(t.Data)+fingerprintChunk-1)/fingerprintChunk)}
		pool.Run(len(sums.sums), sums)
		for _, s := range sums.sums {
			h.Write(binary.LittleEndian.AppendUint32(nil, s))
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// summing is the task of summing one tensor's chunks.
type summing struct {
	data []byte
	sums []uint32
}

func (s *summing) Do(i int) {
	s.sums[i] = crc32.Checksum(s.data[i*fingerprintChunk:min((i+1)*fingerprintChunk, len(s.data))], castagnoli)
}
