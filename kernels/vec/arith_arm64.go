//go:build !purego

package vec

//go:noescape
func addNEON(dst, a, b []float32)

func add(dst, a, b []float32) {
	if useArithNEON {
		addNEON(dst, a, b)
	} else {
		addGeneric(dst, a, b)
	}
}

//go:noescape
func mulNEON(dst, a, b []float32)

func mul(dst, a, b []float32) {
	if useArithNEON {
		mulNEON(dst, a, b)
	} else {
		mulGeneric(dst, a, b)
	}
}

//go:noescape
func scaleNEON(dst []float32, s float32, x []float32)

func scale(dst []float32, s float32, x []float32) {
	if useArithNEON {
		scaleNEON(dst, s, x)
	} else {
		scaleGeneric(dst, s, x)
	}
}

//go:noescape
func axpyNEON(dst []float32, s float32, x []float32)

func axpy(dst []float32, s float32, x []float32) {
	if useArithNEON {
		axpyNEON(dst, s, x)
	} else {
		axpyGeneric(dst, s, x)
	}
}

//go:noescape
func reluNEON(dst, x []float32)

func relu(dst, x []float32) {
	if useArithNEON {
		reluNEON(dst, x)
	} else {
		reluGeneric(dst, x)
	}
}

//go:noescape
func shiftNEON(dst, x []float32, s float32)

func shift(dst, x []float32, s float32) {
	if useShiftNEON {
		shiftNEON(dst, x, s)
	} else {
		shiftGeneric(dst, x, s)
	}
}
