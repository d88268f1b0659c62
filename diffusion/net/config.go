package net

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mminfer/mminfer/nn"
)

// maxima bound every size of a configuration before anything is computed from it.
const (
	maxChannels = 1 << 16
	maxLayers   = 1 << 8
	maxLevels   = 16
	maxVocab    = 1 << 22
	maxTokens   = 1 << 16
)

// decode reads a configuration over a struct of defaults. Keys that are null, and those that diffusers lists as
// left at their default, count as absent. It returns all keys.
func decode(config []byte, into any) (map[string]json.RawMessage, error) {
	if config == nil {
		return nil, errors.New("missing: it says what the network is")
	}
	keys := map[string]json.RawMessage{}
	if err := json.Unmarshal(config, &keys); err != nil {
		return nil, err
	}
	var unset []string
	if list, ok := keys["_use_default_values"]; ok {
		if err := json.Unmarshal(list, &unset); err != nil {
			return nil, fmt.Errorf("_use_default_values: found %.60s, expected a list of strings", list)
		}
	}
	for k, v := range keys {
		if string(v) == "null" || slices.Contains(unset, k) {
			delete(keys, k)
		}
	}
	rest, err := json.Marshal(keys)
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(rest, into)
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return nil, fmt.Errorf("%s: found %s, expected %s", mismatch.Field, mismatch.Value, mismatch.Type)
	}
	return keys, err
}

// Class returns the class that a configuration of diffusers names, or the first of the architectures that one of
// transformers does; "" if there is none.
func Class(config []byte) string {
	var c struct {
		Class         string   `json:"_class_name"`
		Architectures []string `json:"architectures"`
	}
	if json.Unmarshal(config, &c) != nil {
		return ""
	}
	if c.Class == "" && len(c.Architectures) > 0 {
		return c.Architectures[0]
	}
	return c.Class
}

// checks collects what is wrong with a configuration.
type checks struct{ nn.Checks }

// among records an error unless s is one of those supported.
func (c *checks) among(key, s string, supported ...string) {
	c.That(slices.Contains(supported, s), "%s: found %q, supported are %s", key, s, strings.Join(supported, ", "))
}

// absent records an error for every key that is there with another value than those that mean nothing.
func (c *checks) absent(keys map[string]json.RawMessage, names ...string) {
	for _, k := range names {
		switch v := strings.TrimSpace(string(keys[k])); v {
		case "", "null", "false", "0", "[]", `"default"`:
		default:
			c.That(false, "%s: found %.60s, which is not supported", k, v)
		}
	}
}

// widths checks the channels of levels and that groups divide them.
func (c *checks) widths(key string, widths []int, groups int) {
	c.Between(key+" (length)", len(widths), 1, maxLevels)
	c.Between("norm_num_groups", groups, 1, maxChannels)
	for i, w := range widths {
		c.Between(fmt.Sprintf("%s[%d]", key, i), w, 1, maxChannels)
		c.That(groups > 0 && w%max(groups, 1) == 0, "%s[%d]: found %d, expected a multiple of norm_num_groups %d", key, i, w, groups)
	}
}

// numbers is a number, or a list with one for each level.
type numbers []int

// UnmarshalJSON reads either.
func (n *numbers) UnmarshalJSON(data []byte) error {
	var one int
	if err := json.Unmarshal(data, &one); err == nil {
		*n = numbers{one}
		return nil
	}
	var list []int
	if err := json.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("found %.60s, expected a whole number or a list of them", data)
	}
	*n = list
	return nil
}

// at returns the number of a level.
func (n numbers) at(level int) int {
	if len(n) == 1 {
		return n[0]
	}
	return n[level]
}

// check records an error unless there is one number, or one for each level, all of lo to hi.
func (n numbers) check(c *checks, key string, levels, lo, hi int) {
	c.That(len(n) == 1 || len(n) == levels, "%s: found %d numbers, expected 1 or %d", key, len(n), levels)
	for _, v := range n {
		c.Between(key, v, lo, hi)
	}
}

// isNull reports whether a configuration has a key with the value null.
func isNull(config []byte, key string) bool {
	var keys map[string]json.RawMessage
	return json.Unmarshal(config, &keys) == nil && string(keys[key]) == "null"
}

// configError is an error about the configuration of a class.
func configError(class string, err error) error {
	return fmt.Errorf("net: %s: config.json: %w", class, err)
}
