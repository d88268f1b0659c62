package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/mminfer/mminfer/nn"
)

// maxima bound every size of a configuration before anything is computed from it.
const (
	maxWidth  = 1 << 17
	maxLayers = 1 << 10
	maxVocab  = 1 << 22
	maxHeads  = 1 << 12
)

// decode reads a configuration, or the part of one under a key, into a struct that holds the
// defaults of absent keys. A key that is null is as good as absent only where the field is a
// pointer or a list, or knows what null means.
func decode(config []byte, into any, under ...string) error {
	err := json.Unmarshal(config, into)
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return wrongType(append(under, mismatch.Field), mismatch.Value, mismatch.Type)
	}
	if err != nil {
		return err
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(config, &keys); err != nil {
		return err
	}
	for _, f := range reflect.VisibleFields(reflect.TypeOf(into).Elem()) {
		key := f.Tag.Get("json")
		optional := f.Type.Kind() == reflect.Pointer || f.Type.Kind() == reflect.Slice || reflect.PointerTo(f.Type).Implements(reflect.TypeFor[json.Unmarshaler]())
		if string(keys[key]) == "null" && !optional {
			return wrongType(append(under, key), "null", f.Type)
		}
	}
	return nil
}

// wrongType says that a key's value is not of the field's type.
func wrongType(path []string, found string, want reflect.Type) error {
	kinds := map[reflect.Kind]string{
		reflect.Int: "a whole number", reflect.Float64: "a number", reflect.Bool: "true or false",
		reflect.String: "a string", reflect.Slice: "a list", reflect.Struct: "an object",
	}
	err := fmt.Errorf("found %s, expected %s", found, kinds[want.Kind()])
	if key := strings.Trim(strings.Join(path, "."), "."); key != "" {
		return fmt.Errorf("%s: %w", key, err)
	}
	return err
}

// checks collects what is wrong with a configuration.
type checks struct{ nn.Checks }

// sizes records errors unless a model has sizes within the maxima.
func (c *checks) sizes(width, layers, vocab int) {
	c.Between("hidden_size", width, 1, maxWidth)
	c.Between("num_hidden_layers", layers, 1, maxLayers)
	c.Between("vocab_size", vocab, 1, maxVocab)
}
