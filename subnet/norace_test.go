//go:build !race

package subnet_test

const slowdown = 1
