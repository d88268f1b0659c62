package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/mminfer/mminfer/tensor"
)

const (
	maxIndex  = 32 << 20 // bytes of an index file
	maxShards = 1000
)

// index is a *.safetensors.index.json: which shard holds which tensor.
type index struct {
	shards []string       // file names
	places map[string]int // number of the shard by tensor name
}

// parseIndex reads an index. Keys other than weight_map are skipped.
func parseIndex(data []byte) (*index, error) {
	s := scanner{data: data}
	var x *index
	err := s.object(func(key []byte) error {
		if string(key) != "weight_map" {
			return s.skip(1)
		}
		if x != nil {
			return fmt.Errorf("weight_map: %w", errTwice)
		}
		x = &index{places: make(map[string]int)}
		if err := x.parseMap(&s); err != nil {
			return fmt.Errorf("weight_map: %w", err)
		}
		return nil
	})
	if err == nil {
		err = s.finish()
	}
	if err == nil && (x == nil || len(x.places) == 0) {
		err = errors.New("weight_map: found no tensors, expected at least one")
	}
	return x, err
}

// parseMap reads the value of weight_map, an object of tensor names and file names.
func (x *index) parseMap(s *scanner) error {
	numbers := make(map[string]int) // by file name
	return s.object(func(key []byte) error {
		name := string(key)
		if _, ok := x.places[name]; ok {
			return fmt.Errorf("tensor %s: %w", quote(name), errTwice)
		}
		if len(x.places) == maxTensors {
			return s.errorf("found more than %d tensors, expected at most that", maxTensors)
		}
		shard, err := s.text(maxName)
		if err != nil {
			return fmt.Errorf("tensor %s: %w", quote(name), err)
		}
		i, ok := numbers[string(shard)]
		if !ok {
			if !isBaseName(string(shard)) {
				return fmt.Errorf("tensor %s: found file name %s, expected a base name", quote(name), quote(shard))
			}
			if i = len(x.shards); i == maxShards {
				return s.errorf("found more than %d shards, expected at most that", maxShards)
			}
			x.shards = append(x.shards, string(shard))
			numbers[x.shards[i]] = i
		}
		x.places[name] = i
		return nil
	})
}

// claim takes the tensors of a shard out of the index, which must place them there.
func (x *index) claim(shard int, tensors []tensor.Tensor) error {
	for _, t := range tensors {
		i, ok := x.places[t.Name]
		if !ok {
			return fmt.Errorf("tensor %s: found it in this file, expected it where weight_map puts it, and only there", quote(t.Name))
		}
		if i != shard {
			return fmt.Errorf("tensor %s: found it in this file, expected it in %s, where weight_map puts it", quote(t.Name), quote(x.shards[i]))
		}
		delete(x.places, t.Name)
	}
	return nil
}

// loadIndex makes the shards of the named index the checkpoint's weights.
func (c *Checkpoint) loadIndex(name string, o options) error {
	data, err := c.dir.read(name, maxIndex)
	if err != nil {
		return err
	}
	x, err := parseIndex(data)
	if err != nil {
		return fmt.Errorf("%s: %w; fetch the file again", c.dir.path(name), err)
	}
	const revision = "fetch index and shards again, all of one revision"
	for i, shard := range x.shards {
		f, err := readSafetensors(c.dir, shard, o.header)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: shard %s: found no such file, expected it beside the index; fetch it", c.dir.path(name), quote(shard))
		}
		if err != nil {
			return err
		}
		c.add(f)
		if err := x.claim(i, f.tensors); err != nil {
			return fmt.Errorf("%s: %w; %s", c.dir.path(shard), err, revision)
		}
	}
	if len(x.places) > 0 {
		missing := slices.Min(slices.Collect(maps.Keys(x.places)))
		return fmt.Errorf("%s: tensor %s: found nothing in shard %s, expected it there; %s",
			c.dir.path(name), quote(missing), quote(x.shards[x.places[missing]]), revision)
	}
	return nil
}
