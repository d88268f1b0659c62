package tokenizer

import "testing"

// BenchmarkEncodeFiles encodes prose with the vocabularies that are no tokenizer.json.
func BenchmarkEncodeFiles(b *testing.B) {
	fsys := testdata(b)
	prose := englishProse(b)
	world, err := ParseRWKV(readFile(b, fsys, "golden/rwkv_world/rwkv_vocab.txt"))
	if err != nil {
		b.Fatal(err)
	}
	for _, test := range []struct {
		name string
		tok  *Tokenizer
	}{
		{"rwkv_world", world},
		{"sp_bpe_legacy", openModel(b, fsys, "sp_bpe_legacy", SentencePieceOptions{})},
		{"sp_bpe_gemma", openModel(b, fsys, "sp_bpe_gemma", SentencePieceOptions{})},
		{"sp_unigram_t5", openModel(b, fsys, "sp_unigram_t5", SentencePieceOptions{})},
	} {
		b.Run("vocab="+test.name, func(b *testing.B) {
			dst := make([]int32, 0, len(prose))
			b.SetBytes(int64(len(prose)))
			b.ReportAllocs()
			for b.Loop() {
				dst = test.tok.Encode(dst[:0], prose, EncodeOptions{Recognize: RecognizeAll})
			}
		})
	}
}
