"""Writes types.gguf and want.safetensors with the reference package: pip install gguf==0.19.0.

types.gguf has one tensor of every element type the loader reads and one key of every metadata
type; want.safetensors has what gguf.quants.dequantize makes of the tensors in blocks, as F32.
"""
import json

import gguf
import numpy as np

rng = np.random.default_rng(7)
w = gguf.GGUFWriter("types.gguf", "test")
for name, value in [("uint8", 200), ("int8", -100), ("uint16", 60000), ("int16", -30000), ("uint32", 4000000000),
                    ("int32", -2000000000), ("float32", 0.1), ("uint64", 2**63 + 1), ("int64", -2**62), ("float64", 0.1)]:
    getattr(w, "add_" + name)("test." + name, value)
w.add_bool("test.bool", True)
w.add_string("test.string", "caf\u00e9\0")
w.add_array("test.strings", ["a", "", "\u4e2d\u6587"])
w.add_array("test.ints", [-1, 0, 2147483647])
w.add_array("test.floats", [0.5, -1.25])
w.add_array("test.bools", [True, False])

Q = gguf.GGMLQuantizationType
plain = {"F32": np.float32, "F16": np.float16, "F64": np.float64, "I8": np.int8, "I16": np.int16, "I32": np.int32, "I64": np.int64}
for name, t in plain.items():
    w.add_tensor(name, (rng.standard_normal((2, 3, 4)) * 50).astype(t))
w.add_tensor("BF16", gguf.quants.quantize(rng.standard_normal((2, 32)).astype(np.float32), Q.BF16), raw_dtype=Q.BF16)

halves = {"Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0]}
want = {}
for name in ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", *halves]:
    q = Q[name]
    elements, size = gguf.GGML_QUANT_SIZES[q]
    if name in halves:  # the package does not quantise to these: random blocks, with scales of usual sizes
        raw = rng.integers(0, 256, (3, 512 // elements, size), dtype=np.uint8)
        for at in halves[name]:
            d = (rng.standard_normal(raw.shape[:2]) * 0.01).astype(np.float16)
            raw[:, :, at:at + 2] = d[..., None].view(np.uint8)
        raw = raw.reshape(3, -1)
    else:
        raw = gguf.quants.quantize(rng.standard_normal((3, 512)).astype(np.float32), q)
    w.add_tensor(name, raw, raw_dtype=q)
    want[name] = gguf.quants.dequantize(raw, q).astype("<f4")
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()

header, at = {}, 0
for name, v in want.items():
    header[name] = {"dtype": "F32", "shape": list(v.shape), "data_offsets": [at, at + v.nbytes]}
    at += v.nbytes
text = json.dumps(header, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)
with open("want.safetensors", "wb") as f:
    f.write(len(text).to_bytes(8, "little") + text + b"".join(v.tobytes() for v in want.values()))
