package tensor

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/x448/float16"

	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/kernels/quant"
	"github.com/mminfer/mminfer/kernels/vec"
)

const (
	// panelsPerPart is how many panels a thread packs at a time.
	panelsPerPart = 8
	// packColumns is how many columns of a panel: what they are made of stays in the first-level cache.
	// It is a multiple of every block.
	packColumns = 256
)

// packing is the task of packing some tensors' rows in one format.
type packing struct {
	panels
	parts      []Tensor
	importance []float32 // of the columns, nil if all are alike
}

// pack packs tensors, which it does not keep, in memory of the arena.
func pack(arena *Arena, pool *Pool, f Format, cols int, parts []Tensor) panels {
	p := &packing{panels: panels{format: f, cols: cols}, parts: parts}
	for _, t := range parts {
		p.rows += t.Shape[0]
	}
	p.data = arena.Bytes(gemm.Panels(p.rows) * formats[f].panel(cols))
	pool.Run((gemm.Panels(p.rows)+panelsPerPart-1)/panelsPerPart, p)
	return p.panels
}

// Do packs some panels.
func (p *packing) Do(part int) {
	var s packScratch
	for i := part * panelsPerPart; i < min((part+1)*panelsPerPart, gemm.Panels(p.rows)); i++ {
		size := formats[p.format].panel(p.cols)
		dst, first, n := p.data[i*size:(i+1)*size], i*gemm.Rows, min(gemm.Rows, p.rows-i*gemm.Rows)
		if !p.moved(dst, &s, first, n) && !p.unpacked(dst, &s, first, n) {
			p.panel(dst, &s, first, n)
		}
	}
}

// packScratch is what a thread needs to pack some columns of a panel.
type packScratch struct {
	half    [packColumns * gemm.Rows]uint16
	columns [packColumns * gemm.Rows]float32
	rows    [gemm.Rows][packColumns]float32 // where they must be decoded
	moved   [gemm.Rows]movedRow
	blocks  [gemm.Rows]blocks
	side    struct { // the blocks of all rows, side by side
		codes        [packColumns / 4 * gemm.Rows]uint32
		scale, least [packColumns / quant.Group * gemm.Rows]float32
	}
}

// panel packs n rows, some columns at a time.
func (p *packing) panel(dst []byte, s *packScratch, first, n int) {
	t, same := p.stored(first, n)
	if same = same && (t == F32 || t == BF16 || t == F16); !same {
		t = F32
	}
	var rows [gemm.Rows][]byte
	for from := 0; from < p.cols; from += packColumns {
		k := min(packColumns, p.cols-from)
		columns := s.columns[:k*gemm.Rows]
		if n < gemm.Rows {
			clear(columns)
			clear(s.half[:])
		}
		for r := range n {
			part, row := p.source(first + r)
			at := row*p.cols + from
			if same {
				rows[r] = part.Data[at*t.Size() : (at+k)*t.Size()]
				continue
			}
			part.Floats(s.rows[r][:k], at)
			if bigEndian() {
				turn(bitsOf(s.rows[r][:k]), bits.ReverseBytes32)
			}
			rows[r] = bytesOf(s.rows[r][:k])
		}
		if p.copied(dst, t, rows[:n], from, k) {
			continue
		}
		s.widen(columns, t, rows[:n], k)
		storeColumns(p.format, dst, columns, n, p.cols, from, p.importance)
	}
}

// unpacked packs n rows of blocks of even levels, and reports whether they are such. It brings their codes
// side by side before they are multiplied, a quarter of what the products are.
func (p *packing) unpacked(dst []byte, s *packScratch, first, n int) bool {
	t, same := p.stored(first, n)
	elements, size := t.Block()
	if !same || !t.even() || p.cols%elements != 0 {
		return false
	}
	var rows, codes, scale, least [gemm.Rows][]byte
	clear(s.blocks[n:])
	for r := range s.blocks {
		x := &s.blocks[r]
		codes[r], scale[r], least[r] = x.codes[:], bytesOf(x.scale[:]), bytesOf(x.least[:])
		if r < n {
			part, row := p.source(first + r)
			rows[r] = part.Data[row*p.cols/elements*size:]
		}
	}
	for from := 0; from < p.cols; from += packColumns {
		k := min(packColumns, p.cols-from)
		part := k / elements * size
		for r := range n {
			s.blocks[r].unpack(t, rows[r][:part])
			rows[r] = rows[r][part:]
		}
		groups := k / quant.Group
		interleave32(s.side.codes[:], codes[:], k/4)
		interleave32(bitsOf(s.side.scale[:]), scale[:], groups)
		interleave32(bitsOf(s.side.least[:]), least[:], groups)
		groups *= gemm.Rows
		columns := s.columns[:k*gemm.Rows]
		quant.AffineColumns(columns, bytesOf(s.side.codes[:])[:len(columns)], s.side.scale[:groups], s.side.least[:groups])
		storeColumns(p.format, dst, columns, n, p.cols, from, p.importance)
	}
	return true
}

// stored returns the type of n rows, and whether they are of one.
func (p *packing) stored(first, n int) (t Type, same bool) {
	for r := range n {
		part, _ := p.source(first + r)
		if r > 0 && part.Type != t {
			return t, false
		}
		t = part.Type
	}
	return t, true
}

// copied packs k columns of rows whose type is the panel's own, and reports whether it is.
func (p *packing) copied(dst []byte, t Type, rows [][]byte, from, k int) bool {
	switch {
	case p.format == FormatF32 && t == F32:
		quant.Columns32(view[uint32](dst)[from*gemm.Rows:], rows, k)
	case p.format == FormatBF16 && t == BF16, p.format == FormatF16 && t == F16:
		quant.Columns16(view[uint16](dst)[from*gemm.Rows:], rows, k)
	case p.format == FormatBF16Dot && t == BF16:
		quant.Columns32(view[uint32](dst)[from/2*gemm.Rows:], rows, k/2)
		if k%2 > 0 { // the last column is half of a pair
			last := view[uint32](dst)[(from+k)/2*gemm.Rows:]
			for r, row := range rows {
				last[r] = uint32(binary.LittleEndian.Uint16(row[2*k-2:]))
			}
		}
	default:
		return false
	}
	return true
}

// widen fills columns from k columns of rows of floats.
func (s *packScratch) widen(columns []float32, t Type, rows [][]byte, k int) {
	if t == F32 {
		quant.Columns32(bitsOf(columns), rows, k)
		return
	}
	half := s.half[:k*gemm.Rows]
	quant.Columns16(half, rows, k)
	if t == BF16 {
		vec.FromBF16(columns, half)
	} else {
		vec.FromF16(columns, half)
	}
}

// storeColumns stores columns of n rows, [k, 16], as those of a panel of cols columns from one on.
// Missing rows must be zero.
func storeColumns(f Format, panel []byte, columns []float32, n, cols, from int, importance []float32) {
	at, to := from*gemm.Rows, from*gemm.Rows+len(columns)
	switch f {
	case FormatF32:
		copy(view[float32](panel)[at:to], columns)
	case FormatBF16:
		vec.ToBF16(view[uint16](panel)[at:to], columns)
	case FormatF16:
		vec.ToF16(view[uint16](panel)[at:to], columns)
	case FormatBF16Dot:
		storePairs(view[uint32](panel)[from/2*gemm.Rows:], columns)
	case FormatQ8:
		quant.Q8Columns(panel, columns, cols, from)
	default:
		formats[f].code.Columns(panel, columns, n, cols, from, importance)
	}
}

// storePairs rounds columns, [k, 16], to bfloat16, two in a pair.
func storePairs(dst []uint32, columns []float32) {
	var half [2 * gemm.Rows]uint16
	for from := 0; from < len(columns); from += len(half) {
		n := min(len(half), len(columns)-from)
		vec.ToBF16(half[:n], columns[from:from+n])
		clear(half[n:])
		for r := range gemm.Rows {
			dst[from/2+r] = uint32(half[r]) | uint32(half[gemm.Rows+r])<<16
		}
	}
}

// source returns the tensor that holds row r of the stack, and the row's number there.
func (p *packing) source(r int) (Tensor, int) {
	i := 0
	for r >= p.parts[i].Shape[0] {
		r -= p.parts[i].Shape[0]
		i++
	}
	return p.parts[i], r
}

// nativeRow decodes row r of a panel of floats in the machine's byte order.
func nativeRow(f Format, dst []float32, panel []byte, r int) {
	for i := range dst {
		switch at := i*gemm.Rows + r; f {
		case FormatF32:
			dst[i] = view[float32](panel)[at]
		case FormatBF16:
			dst[i] = math.Float32frombits(uint32(view[uint16](panel)[at]) << 16)
		case FormatF16:
			dst[i] = float16.Frombits(view[uint16](panel)[at]).Float32()
		case FormatBF16Dot:
			dst[i] = math.Float32frombits(view[uint32](panel)[i/2*gemm.Rows+r] >> (i % 2 * 16) << 16)
		}
	}
}
