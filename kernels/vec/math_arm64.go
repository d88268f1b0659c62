//go:build !purego

package vec

//go:noescape
func expNEON(dst, x []float32)

func exp(dst, x []float32) {
	if useMathNEON {
		expNEON(dst, x)
	} else {
		expGeneric(dst, x)
	}
}

//go:noescape
func logNEON(dst, x []float32)

func log(dst, x []float32) {
	if useMathNEON {
		logNEON(dst, x)
	} else {
		logGeneric(dst, x)
	}
}

//go:noescape
func sigmoidNEON(dst, x []float32)

func sigmoid(dst, x []float32) {
	if useMathNEON {
		sigmoidNEON(dst, x)
	} else {
		sigmoidGeneric(dst, x)
	}
}

//go:noescape
func siluNEON(dst, x []float32)

func silu(dst, x []float32) {
	if useMathNEON {
		siluNEON(dst, x)
	} else {
		siluGeneric(dst, x)
	}
}

//go:noescape
func siluMulNEON(dst, gate, up []float32)

func siluMul(dst, gate, up []float32) {
	if useMathNEON {
		siluMulNEON(dst, gate, up)
	} else {
		siluMulGeneric(dst, gate, up)
	}
}

//go:noescape
func softplusNEON(dst, x []float32)

func softplus(dst, x []float32) {
	if useMathNEON {
		softplusNEON(dst, x)
	} else {
		softplusGeneric(dst, x)
	}
}

//go:noescape
func geluNEON(dst, x []float32)

func gelu(dst, x []float32) {
	if useGELUNEON {
		geluNEON(dst, x)
	} else {
		geluGeneric(dst, x)
	}
}
