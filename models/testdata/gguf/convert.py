"""Makes the GGUF files here with llama.cpp's own converter (source of llama-cpp-python 0.3.36 on PyPI, llama.cpp 0c1e570).

    python convert.py LLAMA_CPP GOLDENS

LLAMA_CPP is the unpacked source, GOLDENS the directory ../golden. Needs torch, transformers, safetensors, numpy.
What is changed of the converter: no vocabulary; Qwen3-Next may have dense layers, which the golden has; Granite
hybrids rotate where the configuration says so, not only without Mamba layers (the key rope.scaling.finetuned, which
llama.cpp reads for it, is set to match). Types are those of the goldens, F32 where the converter multiplies.
"""
import json, subprocess, sys
from pathlib import Path

F32 = ["hf_falcon_h1", "hf_llama_linear", "hf_llama_smol", "zoo_mamba", "zoo_mamba2_hf"]
BF16 = ["hf_granite_dense", "hf_granitemoehybrid", "hf_jamba", "hf_lfm2", "hf_llama", "hf_qwen2", "hf_qwen3", "hf_qwen3_5",
        "hf_qwen3_next", "hf_qwen3_yarn", "zoo_rwkv7"]


def convert(src, hf, out, outtype):
    sys.path[:0] = [str(src), str(src / "gguf-py")]
    import conversion, gguf
    import convert_hf_to_gguf as C
    cfg = json.loads((hf / "config.json").read_text())
    T, A = gguf.MODEL_TENSOR, gguf.MODEL_ARCH
    gguf.MODEL_TENSORS[A.QWEN3NEXT] += [T.FFN_GATE, T.FFN_UP, T.FFN_DOWN]

    def set_vocab(self):
        w, eos = self.gguf_writer, cfg.get("eos_token_id")
        w.add_tokenizer_model("none")
        if eos is not None:
            w.add_eos_token_id(eos[0] if isinstance(eos, list) else eos)
        if cfg.get("position_embedding_type") == "rope":
            w.kv_data[0].pop(w.arch and f"{w.arch}.rope.scaling.finetuned", None)
            w.add_rope_scaling_finetuned(True)

    find = conversion.get_model_class

    def patched(*a, **k):
        cls = find(*a, **k)
        cls.set_vocab = set_vocab
        return cls

    C.get_model_class = conversion.get_model_class = patched
    sys.argv = ["convert", str(hf), "--outfile", str(out), "--outtype", outtype]
    if cfg["model_type"].startswith(("qwen3_5", "qwen3_next")):
        sys.argv.append("--no-mtp")
    C.main()


def grouped(golden, out):
    """The Qwen3.5 golden's shapes with two heads of values for each of keys, and random weights."""
    import torch
    from safetensors.torch import load_file, save_file
    cfg = json.loads((golden / "config.json").read_text())
    h, v = cfg["linear_num_key_heads"], cfg["linear_value_head_dim"]
    k = cfg["linear_key_head_dim"]
    cfg["linear_num_value_heads"] = 2 * h
    widths = {"in_proj_qkv": 2 * h * k + 2 * h * v, "in_proj_z": 2 * h * v, "in_proj_a": 2 * h, "in_proj_b": 2 * h, "conv1d": 2 * h * k + 2 * h * v,
              "A_log": 2 * h, "dt_bias": 2 * h}
    gen = torch.Generator().manual_seed(5)
    tensors = {}
    for name, t in load_file(golden / "model.safetensors").items():
        shape = list(t.shape)
        part = name.removesuffix(".weight").split(".")[-1]
        if part in widths:
            shape[0] = widths[part]
        if "linear_attn.out_proj" in name:
            shape[1] = 2 * h * v
        tensors[name] = (0.3 * torch.randn(shape, generator=gen)).to(torch.bfloat16)
    out.mkdir(exist_ok=True)
    (out / "config.json").write_text(json.dumps(cfg))
    save_file(tensors, out / "model.safetensors")


if __name__ == "__main__":
    here, src, goldens = Path(__file__).parent, Path(sys.argv[1]), Path(sys.argv[2])
    if len(sys.argv) > 3:
        convert(src, Path(sys.argv[3]), sys.argv[4], sys.argv[5])
        sys.exit()
    grouped(goldens / "hf_qwen3_5", here / "qwen3_5_grouped")
    for hf, outtype in [(goldens / n, "f32") for n in F32] + [(goldens / n, "bf16") for n in BF16] + [(here / "qwen3_5_grouped", "bf16")]:
        out = here / (hf.name + ".gguf")
        if not out.exists():
            subprocess.run([sys.executable, __file__, str(src), str(goldens), str(hf), str(out), outtype], check=True)
