//go:build !purego

package vec

//go:noescape
func addAVX2(dst, a, b []float32)

//go:noescape
func addAVX512(dst, a, b []float32)

func add(dst, a, b []float32) {
	if useArithAVX512 {
		addAVX512(dst, a, b)
	} else if useArithAVX2 {
		addAVX2(dst, a, b)
	} else {
		addGeneric(dst, a, b)
	}
}

//go:noescape
func mulAVX2(dst, a, b []float32)

//go:noescape
func mulAVX512(dst, a, b []float32)

func mul(dst, a, b []float32) {
	if useArithAVX512 {
		mulAVX512(dst, a, b)
	} else if useArithAVX2 {
		mulAVX2(dst, a, b)
	} else {
		mulGeneric(dst, a, b)
	}
}

//go:noescape
func scaleAVX2(dst []float32, s float32, x []float32)

//go:noescape
func scaleAVX512(dst []float32, s float32, x []float32)

func scale(dst []float32, s float32, x []float32) {
	if useArithAVX512 {
		scaleAVX512(dst, s, x)
	} else if useArithAVX2 {
		scaleAVX2(dst, s, x)
	} else {
		scaleGeneric(dst, s, x)
	}
}

//go:noescape
func axpyAVX2(dst []float32, s float32, x []float32)

//go:noescape
func axpyAVX512(dst []float32, s float32, x []float32)

func axpy(dst []float32, s float32, x []float32) {
	if useArithAVX512 {
		axpyAVX512(dst, s, x)
	} else if useArithAVX2 {
		axpyAVX2(dst, s, x)
	} else {
		axpyGeneric(dst, s, x)
	}
}

//go:noescape
func reluAVX2(dst, x []float32)

//go:noescape
func reluAVX512(dst, x []float32)

func relu(dst, x []float32) {
	if useArithAVX512 {
		reluAVX512(dst, x)
	} else if useArithAVX2 {
		reluAVX2(dst, x)
	} else {
		reluGeneric(dst, x)
	}
}
