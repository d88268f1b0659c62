//go:build !purego

package vec

//go:noescape
func expAVX2(dst, x []float32)

//go:noescape
func expAVX512(dst, x []float32)

func exp(dst, x []float32) {
	if useMathAVX512 {
		expAVX512(dst, x)
	} else if useMathAVX2 {
		expAVX2(dst, x)
	} else {
		expGeneric(dst, x)
	}
}

//go:noescape
func logAVX2(dst, x []float32)

//go:noescape
func logAVX512(dst, x []float32)

func log(dst, x []float32) {
	if useMathAVX512 {
		logAVX512(dst, x)
	} else if useMathAVX2 {
		logAVX2(dst, x)
	} else {
		logGeneric(dst, x)
	}
}

//go:noescape
func sigmoidAVX2(dst, x []float32)

//go:noescape
func sigmoidAVX512(dst, x []float32)

func sigmoid(dst, x []float32) {
	if useMathAVX512 {
		sigmoidAVX512(dst, x)
	} else if useMathAVX2 {
		sigmoidAVX2(dst, x)
	} else {
		sigmoidGeneric(dst, x)
	}
}

//go:noescape
func siluAVX2(dst, x []float32)

//go:noescape
func siluAVX512(dst, x []float32)

func silu(dst, x []float32) {
	if useMathAVX512 {
		siluAVX512(dst, x)
	} else if useMathAVX2 {
		siluAVX2(dst, x)
	} else {
		siluGeneric(dst, x)
	}
}

//go:noescape
func siluMulAVX2(dst, gate, up []float32)

//go:noescape
func siluMulAVX512(dst, gate, up []float32)

func siluMul(dst, gate, up []float32) {
	if useMathAVX512 {
		siluMulAVX512(dst, gate, up)
	} else if useMathAVX2 {
		siluMulAVX2(dst, gate, up)
	} else {
		siluMulGeneric(dst, gate, up)
	}
}

//go:noescape
func softplusAVX2(dst, x []float32)

//go:noescape
func softplusAVX512(dst, x []float32)

func softplus(dst, x []float32) {
	if useMathAVX512 {
		softplusAVX512(dst, x)
	} else if useMathAVX2 {
		softplusAVX2(dst, x)
	} else {
		softplusGeneric(dst, x)
	}
}
