//go:build !purego && (amd64 || arm64)

package kernels

// PureGo reports whether the build holds no assembly at all.
const PureGo = false
