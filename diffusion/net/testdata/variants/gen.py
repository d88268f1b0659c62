#!/usr/bin/env python3
"""Small random networks with other options than the golden ones, in float64.  gen.py OUT_DIR
Made with torch 2.15, diffusers 0.42, on the CPU. w.* weights, in.*, out.*; class and config in the metadata."""
import json, math, sys
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DiTTransformer2DModel, UNet2DConditionModel, UNet2DModel
from diffusers.pipelines.latent_consistency_models.pipeline_latent_consistency_text2img import LatentConsistencyModelPipeline as LCM
from safetensors.torch import save_file

OUT = sys.argv[1]
G = torch.Generator().manual_seed(11)
rnd = lambda *s: torch.randn(*s, generator=G)


def make(cls, small=(), **config):
    """small: tensors that keep what they feed so small that the eps of norms shows."""
    m = cls(**config)
    for k, p in m.named_parameters():
        if p.dim() > 1:
            p.data = rnd(*p.shape) * (.5 if "class_embed" in k else 1.1 / math.sqrt(p[0].numel()))
        else:
            p.data = 1 + .3 * rnd(*p.shape) if k.endswith("weight") else .2 * rnd(*p.shape)
        if any(s in k for s in small):
            p.data *= .004
    return m.eval(), {k: v.clone() for k, v in m.state_dict().items()}, config


def put(name, made, inputs, outputs):
    m, w, config = made
    tensors = {f"w.{k}": v for k, v in w.items()} | {f"in.{k}": v for k, v in inputs.items()} | {f"out.{k}": v for k, v in outputs.items()}
    save_file({k: v.contiguous() for k, v in tensors.items()}, f"{OUT}/{name}.safetensors", metadata={"class": type(m).__name__, "config": json.dumps(config)})


with torch.no_grad():
    t = torch.tensor([421.5, 7.0])
    made = make(UNet2DModel, in_channels=3, out_channels=6, layers_per_block=1, block_out_channels=[16, 24], norm_num_groups=4, attention_head_dim=8, num_class_embeds=5,
                resnet_time_scale_shift="scale_shift", center_input_sample=True, mid_block_scale_factor=1.5, down_block_types=["AttnDownBlock2D", "DownBlock2D"], up_block_types=["UpBlock2D", "AttnUpBlock2D"])
    x, y = rnd(2, 3, 8, 12), torch.tensor([4, 1])
    put("unet2d_scale_shift", made, dict(x=x, t=t, y=y), dict(y=made[0].double()(x.double(), t.double(), y).sample))
    made = make(UNet2DModel, layers_per_block=1, block_out_channels=[8, 16], norm_num_groups=4, add_attention=False, time_embedding_dim=40, down_block_types=["DownBlock2D"] * 2, up_block_types=["UpBlock2D"] * 2)
    x = rnd(2, 3, 8, 8)
    put("unet2d_plain", made, dict(x=x, t=t), dict(y=made[0].double()(x.double(), t.double()).sample))
    made = make(UNet2DConditionModel, small=("conv_in", "conv2", "conv_shortcut", "proj_in", "proj_out", "to_out.0", "ff.net.2"), layers_per_block=1, block_out_channels=[8, 16], norm_num_groups=4, attention_head_dim=[2, 4], cross_attention_dim=12, use_linear_projection=True, transformer_layers_per_block=[1, 2],
                time_cond_proj_dim=10, down_block_types=["CrossAttnDownBlock2D"] * 2, up_block_types=["CrossAttnUpBlock2D"] * 2, mid_block_scale_factor=1.25)
    x, ctx, scale = rnd(2, 4, 7, 9), rnd(2, 5, 12), torch.tensor([8.5, 1.0])
    w = LCM.get_guidance_scale_embedding(None, scale - 1, embedding_dim=10)
    put("sd_lcm", made, dict(x=x, t=t, ctx=ctx, scale=scale), dict(y=made[0].double()(x.double(), t.double(), ctx.double(), timestep_cond=w.double()).sample))
    made = make(DiTTransformer2DModel, num_attention_heads=2, attention_head_dim=20, in_channels=3, out_channels=3, num_layers=3, sample_size=6, patch_size=3, num_embeds_ada_norm=4, attention_bias=False, activation_fn="gelu", norm_eps=1e-4)
    x, y = rnd(2, 3, 6, 6), torch.tensor([4, 0])
    put("dit_patch3", made, dict(x=x, t=t, y=y), dict(y=made[0].double()(x.double(), timestep=t.double(), class_labels=y).sample))
    made = make(AutoencoderKL, down_block_types=["DownEncoderBlock2D"] * 3, up_block_types=["UpDecoderBlock2D"] * 3, block_out_channels=[8, 8, 16], layers_per_block=1, latent_channels=2, norm_num_groups=4,
                use_quant_conv=False, use_post_quant_conv=False, mid_block_add_attention=False)
    img, z, m = rnd(1, 3, 12, 8), rnd(1, 2, 3, 2), made[0].double()
    put("vae_no_quant", made, dict(img=img, z=z), dict(moments=m.encode(img.double()).latent_dist.parameters, dec=m.decode(z.double()).sample))
    made = make(AutoencoderTiny, encoder_block_out_channels=[8, 8], decoder_block_out_channels=[12, 12], num_encoder_blocks=[1, 2], num_decoder_blocks=[2, 0], latent_channels=3)
    img, z, m = rnd(1, 3, 6, 10).clamp(-1, 1), rnd(1, 3, 3, 5), made[0].double()
    put("taesd_two", made, dict(img=img, z=z), dict(lat=m.encode(img.double()).latents, dec=m.decode(z.double()).sample))
