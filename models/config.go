package models

import (
	"encoding/json"
	"errors"
	"fmt"
)

// maxima bound every size of a configuration before anything is computed from it.
const (
	maxWidth  = 1 << 17
	maxLayers = 1 << 10
	maxVocab  = 1 << 22
	maxHeads  = 1 << 12
)

// decode reads a configuration into a struct that holds the defaults of absent keys.
func decode(config []byte, into any) error {
	err := json.Unmarshal(config, into)
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return fmt.Errorf("%s: found a %s, expected %s", mismatch.Field, mismatch.Value, mismatch.Type)
	}
	return err
}

// checks collects what is wrong with a configuration.
type checks struct{ errs []error }

// that records an error unless ok.
func (c *checks) that(ok bool, format string, args ...any) {
	if !ok {
		c.errs = append(c.errs, fmt.Errorf(format, args...))
	}
}

// between records an error unless lo ≤ n ≤ hi.
func (c *checks) between(key string, n, lo, hi int) {
	c.that(n >= lo && n <= hi, "%s: found %d, expected %d to %d", key, n, lo, hi)
}

// positive records an error unless x is positive and finite.
func (c *checks) positive(key string, x float64) {
	c.that(x > 0 && x < 1e30, "%s: found %v, expected a positive number", key, x)
}

func (c *checks) err() error { return errors.Join(c.errs...) }
