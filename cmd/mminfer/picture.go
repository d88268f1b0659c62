package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/demo"
	"github.com/mminfer/mminfer/vision"
)

// maxPictureBytes bounds the file of a picture. The largest picture that is decoded has 192 MiB
// without any compression.
const maxPictureBytes = 256 << 20

// picture is one that a user names.
type picture struct {
	name  string // for messages
	data  []byte // the file
	image *vision.Image
}

// picturesFlag adds --image.
func picturesFlag(c *cobra.Command, names *[]string) {
	c.Flags().StringArrayVar(names, "image", nil, imageHelp)
	_ = c.MarkFlagFilename("image", "png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff") // fails only if the flag does not exist
}

// imageHelp is what --image takes.
const imageHelp = "show the model the picture in `FILE` (PNG, JPEG, WebP, GIF, BMP, TIFF) or data URI; may be repeated"

// readPictures reads and decodes the pictures that a user names: what is wrong with them is known
// before a model is loaded.
func readPictures(names []string) ([]picture, error) {
	var list []picture
	for _, name := range names {
		p, err := readPicture(name)
		if err == nil {
			p.image, err = vision.Decode(p.data, vision.Limits{})
			p.data, err = nil, p.named(err)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// named says which picture an error is about.
func (p picture) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", p.name, err)
}

// look makes pictures the model's input.
func look(e *mminfer.Engine, model string, list []picture) ([]*mminfer.Picture, error) {
	if len(list) == 0 {
		return nil, nil
	}
	o, err := e.PictureOptions()
	if errors.Is(err, mminfer.ErrNoPictures) {
		return nil, fmt.Errorf("%s takes no pictures: it is of type %s, which reads text only; name a model that takes them, such as the built-in one: -m %s", model, e.Info().Type, demo.Reader)
	}
	if err != nil {
		return nil, err
	}
	var seen []*mminfer.Picture
	for _, p := range list {
		tiles, err := vision.Tile(p.image, o)
		if err != nil {
			return nil, p.named(err)
		}
		x, err := e.PictureOf(tiles)
		if err != nil {
			return nil, p.named(err)
		}
		seen = append(seen, x)
	}
	return seen, nil
}

// readPicture reads a picture: a file, or a data URI in base64. Nothing is fetched.
func readPicture(name string) (picture, error) {
	switch scheme, rest, found := strings.Cut(name, ":"); {
	case name == "":
		return picture{}, usagef("a picture has an empty name: expected a file or a data URI")
	case found && strings.EqualFold(scheme, "data"):
		return dataPicture(rest)
	case found && strings.HasPrefix(rest, "//"):
		return picture{}, fmt.Errorf("%s: pictures are not fetched from the network: store it in a file first, with curl -o FILE for instance, and name that", clipped(name))
	}
	f, err := os.Open(name)
	if err != nil {
		return picture{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s: it is a directory, expected a picture", name)
	}
	if err != nil {
		return picture{}, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxPictureBytes+1))
	if err == nil && len(data) > maxPictureBytes {
		err = fmt.Errorf("%s: more than %s, which no picture needs", name, bytesText(maxPictureBytes))
	}
	return picture{name: name, data: data}, err
}

// dataPicture reads what follows "data:" in a data URI.
func dataPicture(rest string) (picture, error) {
	kind, encoded, found := strings.Cut(rest, ",")
	p := picture{name: clipped("data:" + rest)}
	kind, isBase64 := strings.CutSuffix(kind, ";base64")
	switch {
	case !found || !isBase64:
		return p, fmt.Errorf("%s: expected a data URI in base64, such as data:image/png;base64,iVBORw0KGgo", p.name)
	case kind != "" && !strings.HasPrefix(strings.ToLower(kind), "image/"):
		return p, fmt.Errorf("%s: its type is %q, expected a picture's, such as image/png", p.name, clipped(kind))
	}
	encoded = strings.TrimRight(encoded, "=")
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(encoded, "-_") {
		encoding = base64.RawURLEncoding
	}
	var err error
	if p.data, err = encoding.DecodeString(encoded); err != nil {
		return p, fmt.Errorf("%s: %w", p.name, err)
	}
	return p, nil
}

// clipped shortens a long name for messages.
func clipped(name string) string {
	const most = 60
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most-3], "") + "..."
}
