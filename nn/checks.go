package nn

import (
	"errors"
	"fmt"
)

// Checks collects what is wrong with a configuration. The zero value holds nothing.
type Checks struct{ errs []error }

// That records an error unless ok. Only so many are kept: a list in a configuration may be long.
func (c *Checks) That(ok bool, format string, args ...any) {
	const most = 20
	if !ok && len(c.errs) < most {
		c.errs = append(c.errs, fmt.Errorf(format, args...))
	}
}

// Between records an error unless lo ≤ n ≤ hi.
func (c *Checks) Between(key string, n, lo, hi int) {
	c.That(n >= lo && n <= hi, "%s: found %d, expected %d to %d", key, n, lo, hi)
}

// Positive records an error unless x is positive and finite.
func (c *Checks) Positive(key string, x float64) {
	c.That(x > 0 && x < 1e30, "%s: found %v, expected a positive number", key, x)
}

// Err returns all that was recorded.
func (c *Checks) Err() error { return errors.Join(c.errs...) }
