package main

import "github.com/mminfer/mminfer/internal/golden"

// tokens checks a vocabulary's cases.jsonl, long.jsonl and stream.jsonl.
func (v *verify) tokens(dir string) ([]counts, error) {
	vocabulary, err := golden.OpenVocabulary(dir)
	if err != nil {
		return nil, err
	}
	var all []counts
	for _, file := range []struct {
		name  string
		check func(func(error)) error
	}{{"cases.jsonl", vocabulary.Cases}, {"long.jsonl", vocabulary.Long}, {"stream.jsonl", vocabulary.Stream}} {
		c := counts{file: file.name}
		if err := file.check(c.check); err != nil {
			return nil, err
		}
		if c.cases > 0 {
			all = append(all, c)
		}
	}
	return all, nil
}
