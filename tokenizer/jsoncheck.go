package tokenizer

import (
	"fmt"
	"unicode/utf8"
)

// checkJSON checks that data is one well-formed JSON value in valid UTF-8, nested at most
// maxNesting deep. It is stricter than encoding/json where that would change a token without a
// word: half surrogate pairs and ill-formed UTF-8 are errors.
// Source: RFC 8259.
func checkJSON(data []byte) error {
	c := jsonChecker{data: data}
	c.space()
	if err := c.value(0); err != nil {
		return err
	}
	c.space()
	if c.pos != len(data) {
		return c.errorf("something follows the document")
	}
	return nil
}

type jsonChecker struct {
	data []byte
	pos  int
}

func (c *jsonChecker) errorf(format string, args ...any) error {
	return fmt.Errorf("byte %d: %s", c.pos, fmt.Sprintf(format, args...))
}

func (c *jsonChecker) space() { c.pos = skipSpace(c.data, c.pos) }

// peek returns the next byte, or 0 at the end.
func (c *jsonChecker) peek() byte {
	if c.pos < len(c.data) {
		return c.data[c.pos]
	}
	return 0
}

func (c *jsonChecker) value(depth int) error {
	switch b := c.peek(); {
	case b == '{' || b == '[':
		if depth == maxNesting {
			return c.errorf("nested more than %d deep", maxNesting)
		}
		return c.container(depth+1, b == '{')
	case b == '"':
		return c.str()
	case b == '-' || '0' <= b && b <= '9':
		return c.number()
	}
	for _, word := range []string{"null", "true", "false"} {
		if end := c.pos + len(word); end <= len(c.data) && string(c.data[c.pos:end]) == word {
			c.pos = end
			return nil
		}
	}
	return c.errorf("expected a JSON value")
}

// container checks an object or an array.
func (c *jsonChecker) container(depth int, object bool) error {
	closer := byte(']')
	if object {
		closer = '}'
	}
	c.pos++
	c.space()
	if c.peek() == closer {
		c.pos++
		return nil
	}
	for {
		if object {
			if c.peek() != '"' {
				return c.errorf("expected a string as key")
			}
			if err := c.str(); err != nil {
				return err
			}
			c.space()
			if c.peek() != ':' {
				return c.errorf("expected a colon")
			}
			c.pos++
			c.space()
		}
		if err := c.value(depth); err != nil {
			return err
		}
		c.space()
		switch c.peek() {
		case closer:
			c.pos++
			return nil
		case ',':
			c.pos++
			c.space()
		default:
			return c.errorf("expected a comma or %q", closer)
		}
	}
}

func (c *jsonChecker) str() error {
	for c.pos++; c.pos < len(c.data); {
		switch b := c.data[c.pos]; {
		case b == '"':
			c.pos++
			return nil
		case b == '\\':
			_, n := escape(c.data[c.pos:])
			if n == 0 {
				return c.errorf("invalid escape sequence, or half of a surrogate pair")
			}
			c.pos += n
		case b < ' ':
			return c.errorf("control character in a string")
		case b < utf8.RuneSelf:
			c.pos++
		default:
			n, ok, _ := sequence(c.data[c.pos:])
			if !ok {
				return c.errorf("invalid UTF-8")
			}
			c.pos += n
		}
	}
	return c.errorf("a string has no end")
}

func (c *jsonChecker) number() error {
	if c.peek() == '-' {
		c.pos++
	}
	digits := func() bool {
		start := c.pos
		for b := c.peek(); '0' <= b && b <= '9'; b = c.peek() {
			c.pos++
		}
		return c.pos > start
	}
	if c.peek() == '0' {
		c.pos++
	} else if !digits() {
		return c.errorf("expected a digit")
	}
	if c.peek() == '.' {
		c.pos++
		if !digits() {
			return c.errorf("expected a digit")
		}
	}
	if b := c.peek(); b == 'e' || b == 'E' {
		c.pos++
		if b := c.peek(); b == '+' || b == '-' {
			c.pos++
		}
		if !digits() {
			return c.errorf("expected a digit")
		}
	}
	return nil
}
