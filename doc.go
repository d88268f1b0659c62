// Package mminfer runs sequence models that carry a state instead of a cache: mixtures of
// memories, delta rules, linear attention and their hybrids with softmax attention.
//
// An [Engine] is a loaded model: immutable, safe for concurrent use. A [Session] is one timeline
// of text: it absorbs tokens, generates, and can be forked, saved, restored and rewound, because
// what it remembers is a block of numbers.
//
//	engine, err := mminfer.Open("path/to/model")
//	...
//	defer engine.Close()
//	session := engine.NewSession()
//	for token, err := range session.Generate(ctx, "Once upon a time", mminfer.GenerateOptions{MaxTokens: 100}) {
//		if err != nil { ... }
//		fmt.Print(token.Text)
//	}
//
// # Pictures
//
// Models that look at pictures take them beside the text of a message. The state keeps what was seen:
// later questions about a picture, also to a session that was stored, do not read it again.
//
//	picture, err := engine.Picture(data) // PNG, JPEG, WebP, GIF, BMP or TIFF
//	...
//	chat, err := session.Chat(mminfer.Conversation{})
//	...
//	for token, err := range chat.Say(ctx, "What does it say?", engine.Defaults(), picture) { ... }
//
// # One result
//
// The same tokens give the same bits on any number of threads, in any batch, however a prompt
// is cut, before and after a restore, and with portable Go as with AVX2 or AVX-512. Sampling draws
// from a seeded generator of the session's own: same seed, same text.
package mminfer
