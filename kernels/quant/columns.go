package quant

import (
	"encoding/binary"
	"fmt"
)

// Columns16 interleaves up to 16 rows of k little-endian 16-bit elements: dst [k, 16] holds element i
// of row r at [i, r], in the machine's byte order. What belongs to missing rows stays as it is. It
// panics if a slice is too short.
func Columns16(dst []uint16, rows [][]byte, k int) {
	checkColumns("Columns16", len(dst), rows, k, 2)
	from := 0
	if n := k / 8; n > 0 && len(rows) == Rows {
		at := starts(rows)
		if columns16(&dst[0], &at, n) {
			from = 8 * n
		}
	}
	if from < k {
		columns16Generic(dst, rows, from, k)
	}
}

// Columns32 does the same with 32-bit elements.
func Columns32(dst []uint32, rows [][]byte, k int) {
	checkColumns("Columns32", len(dst), rows, k, 4)
	from := 0
	if n := k / 4; n > 0 && len(rows) == Rows {
		at := starts(rows)
		if columns32(&dst[0], &at, n) {
			from = 4 * n
		}
	}
	if from < k {
		columns32Generic(dst, rows, from, k)
	}
}

func checkColumns(name string, dst int, rows [][]byte, k, size int) {
	if k < 0 || dst < k*Rows || len(rows) > Rows {
		panic(fmt.Sprintf("quant.%s: len(dst)=%d for %d rows of %d", name, dst, len(rows), k))
	}
	for _, row := range rows {
		if len(row) < k*size {
			panic(fmt.Sprintf("quant.%s: a row of %d bytes for %d elements", name, len(row), k))
		}
	}
}

func starts(rows [][]byte) (at [Rows]*byte) {
	for r, row := range rows {
		at[r] = &row[0]
	}
	return at
}

// columns16Generic interleaves the columns from a given one on, four at a time.
func columns16Generic(dst []uint16, rows [][]byte, from, k int) {
	for r, row := range rows {
		i := from
		for ; i+4 <= k; i += 4 {
			v := binary.LittleEndian.Uint64(row[2*i:])
			d := dst[i*Rows+r:]
			_ = d[3*Rows]
			d[0], d[Rows], d[2*Rows], d[3*Rows] = uint16(v), uint16(v>>16), uint16(v>>32), uint16(v>>48)
		}
		for ; i < k; i++ {
			dst[i*Rows+r] = binary.LittleEndian.Uint16(row[2*i:])
		}
	}
}

func columns32Generic(dst []uint32, rows [][]byte, from, k int) {
	for r, row := range rows {
		for i := from; i < k; i++ {
			dst[i*Rows+r] = binary.LittleEndian.Uint32(row[4*i:])
		}
	}
}
