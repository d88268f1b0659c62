package models

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/mminfer/mminfer/nn"
)

// Mixer returns a layer's first block, the one with a state, and the block's number.
func (m *Model) Mixer(layer int) (block nn.Block, number int) {
	for l := range layer {
		number += len(m.layers[l].Blocks)
	}
	return m.layers[layer].Blocks[0], number
}

// Share returns a block's part of the state.
func (s *State) Share(block int) nn.State { return s.share(block) }

// Seal puts the right checksum under the header of a stored state.
func Seal(stored []byte) {
	binary.LittleEndian.PutUint32(stored[headerSize:], crc32.Checksum(stored[:headerSize], castagnoli))
}

// HeaderSize is the size of a stored state's header without its checksum.
const HeaderSize = headerSize

// SealFrame puts the right checksum behind the first frame of a stored state, of n numbers.
func SealFrame(stored []byte, n int) {
	frame := stored[headerSize+4:]
	binary.LittleEndian.PutUint32(frame[4*n:], seal(1, frame[:4*n]))
}
