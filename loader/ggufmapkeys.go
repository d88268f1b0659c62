package loader

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
)

// key returns the full name of a key of the architecture.
func (m *ggufMap) key(name string) string { return m.arch + "." + name }

// has reports whether the file has a key of the architecture.
func (m *ggufMap) has(name string) bool { return m.file.gguf.Has(m.key(name)) }

// ints returns the integers of a key, nil if there is none; one that is no size fails.
func (m *ggufMap) ints(name string) []int {
	m.read[name] = true
	list, err := m.file.gguf.Ints(m.key(name))
	if errors.Is(err, ErrNoKey) {
		return nil
	}
	if err != nil {
		m.fail("key %s: %w", quote(m.key(name)), errors.Unwrap(err))
		return nil
	}
	sizes := make([]int, len(list))
	for i, v := range list {
		if v < 0 || v > math.MaxInt32 {
			m.fail("key %s: found %d, expected 0 to %d", quote(m.key(name)), v, math.MaxInt32)
			return nil
		}
		sizes[i] = int(v)
	}
	return sizes
}

// intOr returns an integer, or what it is without the key. A list must hold the same everywhere.
func (m *ggufMap) intOr(name string, otherwise int) int {
	list := m.ints(name)
	if len(list) == 0 {
		return otherwise
	}
	for _, v := range list {
		if v != list[0] {
			m.fail("key %s: found %d and %d, expected the same in every layer", quote(m.key(name)), list[0], v)
		}
	}
	return list[0]
}

// int returns an integer that must be there.
func (m *ggufMap) int(name string) int {
	if !m.has(name) {
		m.fail("key %s: missing", quote(m.key(name)))
	}
	return m.intOr(name, 0)
}

// perLayer returns an integer of each layer.
func (m *ggufMap) perLayer(name string) []int {
	list := m.ints(name)
	switch {
	case len(list) == 1:
		for len(list) < m.layers && m.err == nil {
			list = append(list, list[0])
		}
	case len(list) < m.layers:
		m.fail("key %s: found %d values, expected one for each of %d layers", quote(m.key(name)), len(list), m.layers)
	}
	if m.err != nil {
		return make([]int, m.layers)
	}
	return list[:m.layers]
}

// bool returns a bool, or what it is without the key.
func (m *ggufMap) bool(name string, otherwise bool) bool {
	m.read[name] = true
	v, err := m.file.gguf.Bool(m.key(name))
	if errors.Is(err, ErrNoKey) {
		return otherwise
	}
	if err != nil {
		m.fail("key %s: %w", quote(m.key(name)), errors.Unwrap(err))
	}
	return v
}

// text returns a string, "" without the key.
func (m *ggufMap) text(name string) string {
	m.read[name] = true
	v, err := m.file.gguf.String(m.key(name))
	if err != nil && !errors.Is(err, ErrNoKey) {
		m.fail("key %s: %w", quote(m.key(name)), errors.Unwrap(err))
	}
	return v
}

// number returns a number, and whether there is one.
func (m *ggufMap) number(name string) (float64, bool) {
	m.read[name] = true
	v, err := m.file.gguf.Float(m.key(name))
	if errors.Is(err, ErrNoKey) {
		return 0, false
	}
	if err != nil {
		m.fail("key %s: %w", quote(m.key(name)), errors.Unwrap(err))
	} else if math.IsNaN(v) || math.IsInf(v, 0) {
		m.fail("key %s: found %v, expected a finite number", quote(m.key(name)), v)
		v = 0
	}
	return v, err == nil
}

// copyNumber puts a number, if there is one, into the configuration.
func (m *ggufMap) copyNumber(to, name string) {
	if v, ok := m.number(name); ok {
		m.config[to] = decimal(v)
	}
}

// needNumber does so with one that must be there.
func (m *ggufMap) needNumber(to, name string) {
	if !m.has(name) {
		m.fail("key %s: missing", quote(m.key(name)))
	}
	m.copyNumber(to, name)
}

// decimal writes a number with the fewest digits that give the same float32, if it is one: so the
// 1e-05 of a configuration is that again.
func decimal(v float64) json.Number {
	bits := 64
	if float64(float32(v)) == v {
		bits = 32
	}
	return json.Number(strconv.FormatFloat(v, 'g', -1, bits))
}

// fraction returns x with which int(n·x) is part, as configurations have parts of sizes.
func fraction(part, n int) float64 {
	if n < 1 {
		return 1
	}
	x := float64(part) / float64(n)
	if int(float64(n)*x) < part { // both operations were rounded down
		x = math.Nextafter(x, math.Inf(1))
	}
	return x
}
