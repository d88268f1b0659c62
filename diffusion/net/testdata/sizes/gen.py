#!/usr/bin/env python3
"""The golden networks at other sizes and batches, in float64.  gen.py GOLDEN_DIR OUT_DIR
Made with torch 2.15, diffusers 0.42, on the CPU. Files hold in.* and out.* of networks whose weights are in GOLDEN_DIR."""
import glob, json, sys
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DiTTransformer2DModel, UNet2DConditionModel, UNet2DModel
from safetensors import safe_open
from safetensors.torch import save_file

GOLDEN, OUT = sys.argv[1], sys.argv[2]
CLASSES = {c.__name__: c for c in (AutoencoderKL, AutoencoderTiny, DiTTransformer2DModel, UNet2DConditionModel, UNet2DModel)}
G = torch.Generator().manual_seed(7)
rnd = lambda *s: torch.randn(*s, generator=G)


def load(name):
    weights = {}
    for path in [f"{GOLDEN}/{name}.safetensors"] + sorted(glob.glob(f"{GOLDEN}/{name}.[0-9].safetensors")):
        with safe_open(path, "pt") as f:
            meta = f.metadata() or {}
            if "class" in meta:
                m = CLASSES[meta["class"]](**json.loads(meta["config"]))
            weights |= {k[2:]: f.get_tensor(k) for k in f.keys() if k.startswith("w.")}
    missing, unexpected = m.load_state_dict(weights, strict=False)
    assert not unexpected and all("pos_embed" in k for k in missing), (missing, unexpected)
    return m.double().eval()


def put(name, inputs, outputs):
    save_file({**{f"in.{k}": v.contiguous() for k, v in inputs.items()}, **{f"out.{k}": v.contiguous() for k, v in outputs.items()}}, f"{OUT}/{name}.safetensors")


with torch.no_grad():
    t = torch.tensor([731.25, 3.0, 999.0])
    m, x = load("unet2d_ddpm"), rnd(3, 3, 12, 20)
    put("unet2d_ddpm", dict(x=x, t=t), dict(y=m(x.double(), t.double()).sample))
    m, x, ctx = load("sd_unet_conv1x1"), rnd(2, 4, 15, 17), rnd(2, 77, 24)
    put("sd_unet_conv1x1", dict(x=x, t=t[:2], ctx=ctx), dict(y=m(x.double(), t[:2].double(), ctx.double()).sample))
    m, x, y = load("dit"), rnd(3, 4, 12, 12), torch.tensor([0, 10, 4])
    put("dit", dict(x=x, t=t, y=y), dict(y=m(x.double(), timestep=t.double(), class_labels=y).sample))
    m, img, z = load("vae_kl"), rnd(2, 3, 10, 14), rnd(2, 4, 5, 7)
    put("vae_kl", dict(img=img, z=z), dict(moments=m.encode(img.double()).latent_dist.parameters, dec=m.decode(z.double()).sample))
    m, img, z = load("taesd"), rnd(2, 3, 24, 40).clamp(-1, 1), rnd(2, 4, 3, 5)
    put("taesd", dict(img=img, z=z), dict(lat=m.encode(img.double()).latents, dec=m.decode(z.double()).sample))
