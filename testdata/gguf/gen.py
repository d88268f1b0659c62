"""Writes small.gguf with the gguf package: a LLaMA of random weights with a byte-level vocabulary and a chat template."""
import gguf, numpy as np

rng = np.random.default_rng(3)
width, heads, ff, layers = 32, 2, 48, 2
keep = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
byte = {b: chr(b) for b in keep} | {b: chr(256 + i) for i, b in enumerate(sorted(set(range(256)) - set(keep)))}
tokens = [byte[b] for b in range(256)] + ["he", "ll", "hell", "<|im_start|>", "<|im_end|>"]
w = gguf.GGUFWriter("small.gguf", "llama")
w.add_block_count(layers); w.add_context_length(64); w.add_embedding_length(width); w.add_feed_forward_length(ff)
w.add_head_count(heads); w.add_head_count_kv(1); w.add_layer_norm_rms_eps(1e-5); w.add_rope_dimension_count(width // heads)
w.add_rope_freq_base(10000.0)
w.add_tokenizer_model("gpt2"); w.add_tokenizer_pre("default")
w.add_token_list(tokens); w.add_token_types([1] * 259 + [3] * 2); w.add_token_merges(["h e", "l l", "he ll"])
w.add_bos_token_id(259); w.add_eos_token_id(260); w.add_add_bos_token(False)
w.add_chat_template("{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
                    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")


def add(name, *shape, quant=None):
    x = rng.standard_normal(shape).astype(np.float32) / np.float32(np.sqrt(shape[-1])) if len(shape) > 1 else np.ones(shape, np.float32)
    if quant:
        w.add_tensor(name, gguf.quants.quantize(x, quant), raw_dtype=quant)
    else:
        w.add_tensor(name, x)


Q8, Q4 = gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q4_0
add("token_embd.weight", len(tokens), width, quant=Q8)
add("output_norm.weight", width)
for i in range(layers):
    b = f"blk.{i}."
    add(b + "attn_norm.weight", width); add(b + "ffn_norm.weight", width)
    add(b + "attn_q.weight", width, width, quant=Q4); add(b + "attn_k.weight", width // heads, width, quant=Q4)
    add(b + "attn_v.weight", width // heads, width, quant=Q8); add(b + "attn_output.weight", width, width, quant=Q4)
    add(b + "ffn_gate.weight", ff, width, quant=Q4); add(b + "ffn_up.weight", ff, width, quant=Q4); add(b + "ffn_down.weight", width, ff)
w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
