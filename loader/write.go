package loader

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/mminfer/mminfer/tensor"
)

// Write writes a safetensors file of the tensors, in the order given, and the metadata, nil
// for none.
func Write(w io.Writer, tensors []tensor.Tensor, metadata map[string]string) error {
	for _, t := range tensors {
		if size, err := dataSize(t); err == nil && size != int64(len(t.Data)) {
			return fmt.Errorf("loader: write: tensor %s: found %d bytes of data, expected %d for %s %v", quote(t.Name), len(t.Data), size, t.Type, t.Shape)
		}
	}
	return WriteFunc(w, tensors, metadata, func(w io.Writer, t tensor.Tensor) error {
		_, err := w.Write(t.Data)
		return err
	})
}

// WriteFunc is [Write] for tensors that need not be in memory: their Data are not looked at,
// and data is called for each in order, to write exactly Elements · Type.Size bytes.
func WriteFunc(w io.Writer, tensors []tensor.Tensor, metadata map[string]string, data func(w io.Writer, t tensor.Tensor) error) error {
	return write(w, tensors, metadata, 8, data)
}

// WriteAligned is [WriteFunc] with the data of the first tensor at a multiple of 64 bytes of the file, and so
// those of all that follow tensors of such sizes.
func WriteAligned(w io.Writer, tensors []tensor.Tensor, metadata map[string]string, data func(w io.Writer, t tensor.Tensor) error) error {
	return write(w, tensors, metadata, 64, data)
}

func write(w io.Writer, tensors []tensor.Tensor, metadata map[string]string, align int, data func(w io.Writer, t tensor.Tensor) error) error {
	header, err := appendHeader(nil, tensors, metadata, align)
	if err != nil {
		return fmt.Errorf("loader: write: %w", err)
	}
	start := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	if _, err := w.Write(append(start, header...)); err != nil {
		return fmt.Errorf("loader: write: header: %w", err)
	}
	for _, t := range tensors {
		c := counter{w: w}
		if err := data(&c, t); err != nil {
			return fmt.Errorf("loader: write: tensor %s: %w", quote(t.Name), err)
		}
		if size, _ := dataSize(t); c.n != size {
			return fmt.Errorf("loader: write: tensor %s: found %d bytes of data, expected %d for %s %v", quote(t.Name), c.n, size, t.Type, t.Shape)
		}
	}
	return nil
}

// counter counts the bytes that pass.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// appendHeader appends the text of a header, padded with spaces so that the data begin at a
// multiple of align bytes. It
// parses what it wrote, so that a file that would be refused is never written.
func appendHeader(b []byte, tensors []tensor.Tensor, metadata map[string]string, align int) ([]byte, error) {
	b = append(b, '{')
	if metadata != nil {
		for k, v := range metadata {
			if !utf8.ValidString(k) || !utf8.ValidString(v) {
				return nil, fmt.Errorf("%s: key %s: found broken UTF-8, expected valid", metadataKey, quote(k))
			}
		}
		b = fmt.Appendf(b, `"%s":%s,`, metadataKey, quoteJSON(metadata))
	}
	var end int64
	for _, t := range tensors {
		size, err := dataSize(t)
		if err == nil && (t.Name == metadataKey || !utf8.ValidString(t.Name)) {
			err = errors.New("found a reserved name or broken UTF-8, expected another name")
		}
		if err == nil && size > math.MaxInt64-end {
			err = errors.New("found more than 2^63 bytes of data, expected less")
		}
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", quote(t.Name), err)
		}
		b = fmt.Appendf(b, `%s:{"dtype":"%s","shape":[`, quoteJSON(t.Name), t.Type)
		for i, d := range t.Shape {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, int64(d), 10)
		}
		b = fmt.Appendf(b, `],"data_offsets":[%d,%d]},`, end, end+size)
		end += size
	}
	b = append(bytes.TrimSuffix(b, []byte(",")), '}')
	for (prefix+len(b))%align != 0 {
		b = append(b, ' ')
	}
	if len(b) > maxHeader {
		return nil, fmt.Errorf("header: found %d bytes, expected at most %d", len(b), maxHeader)
	}
	h := header{scanner: scanner{data: b}, dataLen: end}
	return b, h.parse()
}

// quoteJSON returns a string, or a map of strings with its keys sorted, as JSON.
func quoteJSON[T string | map[string]string](v T) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("loader.quoteJSON: " + err.Error()) // strings always can be
	}
	return b
}
