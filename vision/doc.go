// Package vision turns an encoded picture into a model's input: it decodes, cuts into tiles, resizes
// and normalises as the references of vision-language models do.
//
//	picture, err := vision.Decode(data, vision.Limits{})
//	tiles, err := vision.Tile(picture, vision.MMMamba())
//	x := make([]float32, tiles.N*3*tiles.Size*tiles.Size) // [N, 3, S, S]
//	tiles.Normalize(x, vision.ImageNet())
//
// The result is bit for bit the same on every machine. For lossless pictures it equals that of Pillow
// 10 to 12 (RGB conversion, resize) and torchvision (normalisation); lossy ones differ by what
// the decoders round differently, at most 3 of 255 levels for JPEG.
//
// Pictures are untrusted: the header is judged before anything is decoded (see [Limits]), and a file
// that is cut short, damaged or not a picture is one error.
package vision
