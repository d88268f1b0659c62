//go:build race

package subnet_test

// slowdown is how many times longer instrumented code may take.
const slowdown = 10
